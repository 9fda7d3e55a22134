"""Which migrations a run is to apply or to roll back: pure functions of files and ledger."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.errors import LedgerError, UsageError
from runner.ledger.files import PHASES
from runner.ledger.units import find_units

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from runner.ledger.files import Migration
    from runner.ledger.units import Unit

_MOST_NAMED = 5


def to_apply(
    migrations: Sequence[Migration],
    applied: Collection[str],
    *,
    to: str | None = None,
    unit: Unit | None = None,
    taken: Collection[str] = (),
) -> list[Migration]:
    """The migrations that are still to be applied, in order.

    Args:
        migrations: all that the sources hold, in the order of read_migrations.
        applied: ids of those that are applied.
        to: the last phase or id to apply; None for all but those applied on request only. Every
            service has a baseline, though it may have no files.
        unit: apply files of this unit of tables alone, and those that every unit needs.
        taken: ids of files whose tables the other strategy converts already: left out, and so is
            what only they need.

    Raises:
        UsageError: when no file has that phase or id.
        LedgerError: when a file depends on one that is applied on request only.
    """
    end = len(migrations) if to is None else _end_of(migrations, to)
    on_request = to is not None and end > 0 and migrations[end - 1].on_request
    _require_within(unit, migrations, to)
    chosen = [
        m
        for m in migrations[:end]
        if m.id not in applied
        and (on_request or not m.on_request)
        and (unit is None or m.id in unit.files | unit.shared)
        and m.id not in taken
    ]
    if taken and not {m.id for m in chosen} & {i for u in find_units(migrations) for i in u.files}:
        return []
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
    unit: Unit | None = None,
    kept: Collection[str] = (),
) -> list[Migration]:
    """The migrations that are to be rolled back, in order.

    Args:
        migrations: all that the sources hold, in the order of read_migrations.
        applied: ids of those that are applied.
        to: the last phase or id that stays applied.
        everything: all but the baseline, which holds the service's data.
        unit: roll back files of this unit of tables alone; what every unit needs stays.
        kept: ids of files that must stay: the other strategy's come after them.

    Returns:
        The applied migrations after `to`, newest first; the newest one alone when neither
        `to` nor `everything` is given.

    Raises:
        UsageError: when no file has that phase or id.
    """
    _require_within(unit, migrations, to)
    newest = [
        m
        for m in reversed(migrations[_end_of(migrations, to) if to is not None else 0 :])
        if m.id in applied and m.id not in kept and (unit is None or m.id in unit.files)
    ]
    if to is not None:
        return newest
    if everything:
        return [m for m in newest if m.phase != "baseline"]
    return newest[:1]


def _require_within(unit: Unit | None, migrations: Sequence[Migration], to: str | None) -> None:
    if unit is not None and to in {m.id for m in migrations} - unit.files - unit.shared:
        raise UsageError(
            f"{to} is a file of another unit of tables", hint="name a phase, or a file of this unit"
        )


def _end_of(migrations: Sequence[Migration], to: str) -> int:
    """How many migrations there are up to and including the last one of a phase or id."""
    ends = [
        index
        for index, m in enumerate(migrations, start=1)
        if to in (m.id, m.phase)
        or (m.path.name.startswith(m.id) and to in (m.path.name, m.path.stem))
    ]
    if not ends and to == "baseline" and not any(m.of_another_tool for m in migrations):
        return 0  # a service without legacy files stands there before its first file
    if not ends and to == "switch" and any(m.phase == "contract" for m in migrations):
        return _end_of(migrations, "enforce")  # the switch is part of expand
    if not ends and any(m.of_another_tool for m in migrations):
        last = ", ".join(m.id for m in migrations[-_MOST_NAMED:])
        raise UsageError(
            f"no migration is called {to!r}",
            hint=f"--base names the last one that the live database has; the newest are {last}",
        )
    if not ends:
        present = [phase for phase in PHASES if any(m.phase == phase for m in migrations)]
        raise UsageError(
            f"no migration has the phase or id {to!r}",
            hint=f"phases here: {', '.join(present) or 'none'}; `trueup status` lists the ids",
        )
    return max(ends)
