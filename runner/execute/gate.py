"""Opens contract's gate for old names that a person has typed, and for no others."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from runner.errors import LedgerError, UsageError

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from psycopg import Connection

    from runner.ledger.files import Migration

_GATE = re.compile(r"\bCALL\s+trueup\.require_unused\('((?:[^']|'')+)'\)")
DEFAULT_WAITING_PERIOD = "24 hours"


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
