"""Contract's gate: what it cannot let through yet, and the names that a person has typed."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from psycopg import DataError

from runner.errors import LedgerError, UsageError

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from psycopg import Connection

    from runner.ledger.files import Migration

_GATE = re.compile(r"\bCALL\s+trueup\.require_unused\('((?:[^']|'')+)'\)")
DEFAULT_WAITING_PERIOD = "24 hours"


def require_switched(connection: Connection, migrations: Sequence[Migration]) -> None:
    """Refuse a run that would end at contract's gate for certain, before it changes anything.

    Old names are counted from the switch on, so a run that comes to both cannot prove that one
    was unused for the waiting period.

    Args:
        connection: the run's; its trueup.waiting_period is what the files will read.
        migrations: what is about to run.

    Raises:
        LedgerError: an old name would have to be unused for longer than it is counted.
    """
    switches = [m.id for m in migrations if m.phase == "switch"]
    gated = [m.id for m in migrations if _GATE.search(m.text)]
    if not switches or not gated:
        return
    # What is no interval, the gate itself refuses.
    row = connection.execute(
        """
        SELECT coalesce(nullif(current_setting('trueup.waiting_period', true), ''), %s)
        """,
        [DEFAULT_WAITING_PERIOD],
    ).fetchone()
    period = row[0] if row else DEFAULT_WAITING_PERIOD
    if _is_long(connection, period):
        raise LedgerError(
            f"{gated[0]} cannot run yet: old names are counted from the switch on, and must be"
            f" unused for {period}",
            hint="run `trueup apply --to switch` first, and --to contract when `trueup status`"
            " says that it is allowed",
        )


def _is_long(connection: Connection, period: str) -> bool:
    """Whether a waiting period is longer than a run may take; false of what is none."""
    try:
        row = connection.execute("SELECT %s::interval > interval '1 minute'", [period]).fetchone()
    except DataError:
        return False
    return row == (True,)


def require_unused(
    connection: Connection,
    migrations: Sequence[Migration],
    forced: Collection[str],
    waiting_period: str | None,
) -> None:
    """Let a run with --force remove what it names; its session has a waiting period of 0.

    Args:
        connection: the run's, under the lock.
        migrations: what is about to run.
        forced: the old names that are removed although they may be in use, as status shows them.
        waiting_period: for all other old names that the run removes; None for the default.

    Raises:
        UsageError: the run does not remove a name of `forced`.
        LedgerError: a name that may be in use was not typed.
    """
    removed = sorted(
        {
            match.replace("''", "'")
            for migration in migrations
            for match in _GATE.findall(migration.text)
        }
    )
    for name in sorted(set(forced) - set(removed)):
        raise UsageError(
            f"--force {name}: this run does not remove that name",
            hint=f"it removes: {', '.join(removed) or 'no old name'}",
        )
    known = connection.execute("SELECT to_regclass('trueup.odometer')").fetchone()
    if known is None or known[0] is None:
        return  # the same run makes the old names first
    rows = connection.execute(
        """
        SELECT compat_view, marker,
            trueup.unused_since(compat_view) + %s::interval <= clock_timestamp()
        FROM trueup.odometer WHERE compat_view = ANY (%s)
        """,
        [waiting_period or DEFAULT_WAITING_PERIOD, removed],
    ).fetchall()
    for name, marker, rests in rows:
        if name in forced:
            # A reading of now lets the gate open on servers that do not know the last use.
            connection.execute("CALL trueup.read_odometer(%s, %s)", [name, marker])
        elif not rests:
            raise LedgerError(
                f"{name} may still be in use, and --force does not name it",
                hint="see who uses it: `trueup status`; to remove it all the same, add"
                f" --force {name}",
            )
