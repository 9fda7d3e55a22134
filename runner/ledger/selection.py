"""Which migrations a run is to apply or to roll back: pure functions of files and ledger."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.errors import LedgerError, UsageError
from runner.ledger.files import PHASES

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from runner.ledger.files import Migration


def to_apply(
    migrations: Sequence[Migration], applied: Collection[str], *, to: str | None = None
) -> list[Migration]:
    """The migrations that are still to be applied, in order.

    Args:
        migrations: all that the sources hold, in the order of read_migrations.
        applied: ids of those that are applied.
        to: the last phase or id to apply; None for all but those applied on request only.

    Raises:
        UsageError: when no file has that phase or id.
        LedgerError: when a file depends on one that is applied on request only.
    """
    end = len(migrations) if to is None else _end_of(migrations, to)
    on_request = to is not None and migrations[end - 1].on_request
    chosen = [
        m for m in migrations[:end] if m.id not in applied and (on_request or not m.on_request)
    ]
    known = {*applied, *(m.id for m in chosen)}
    for migration in chosen:
        for parent in sorted(migration.depends - known):
            raise LedgerError(
                f"{migration.id} depends on {parent}, which is applied only when it is named",
                hint=f"run `trueup apply --to {parent}` first",
            )
    return chosen


def to_roll_back(
    migrations: Sequence[Migration],
    applied: Collection[str],
    *,
    to: str | None = None,
    everything: bool = False,
) -> list[Migration]:
    """The migrations that are to be rolled back, in order.

    Args:
        migrations: all that the sources hold, in the order of read_migrations.
        applied: ids of those that are applied.
        to: the last phase or id that stays applied.
        everything: all but the baseline, which holds the service's data.

    Returns:
        The applied migrations after `to`, newest first; the newest one alone when neither
        `to` nor `everything` is given.

    Raises:
        UsageError: when no file has that phase or id.
    """
    if to is not None:
        return [m for m in reversed(migrations[_end_of(migrations, to) :]) if m.id in applied]
    newest = [m for m in reversed(migrations) if m.id in applied]
    if everything:
        return [m for m in newest if m.phase != "baseline"]
    return newest[:1]


def _end_of(migrations: Sequence[Migration], to: str) -> int:
    """How many migrations there are up to and including the last one of a phase or id."""
    ends = [index for index, m in enumerate(migrations, start=1) if to in (m.id, m.phase)]
    if not ends:
        present = [phase for phase in PHASES if any(m.phase == phase for m in migrations)]
        raise UsageError(
            f"no migration has the phase or id {to!r}",
            hint=f"phases here: {', '.join(present) or 'none'}; `trueup status` lists the ids",
        )
    return max(ends)
