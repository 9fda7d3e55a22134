"""Asks sessions that are in a migration's way to give up what they do; never ends a session."""

from __future__ import annotations

from typing import TYPE_CHECKING

from psycopg import errors, sql

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import LiteralString

    from psycopg import Connection


def cancel_autovacuum(connection: Connection, pids: Sequence[int]) -> list[str]:
    """Cancel the autovacuum workers among some sessions, as PostgreSQL does for who waits long.

    PostgreSQL asks one to give way only after deadlock_timeout, and a migration that is kind to
    clients never waits for so long. One that prevents wraparound is left alone. The table is
    vacuumed again soon.

    Args:
        connection: in autocommit mode; a role that may not cancel it leaves it.
        pids: server processes.

    Returns:
        What was cancelled, described.
    """
    return _cancel(
        connection,
        pids,
        "a.backend_type = 'autovacuum worker' AND a.query NOT LIKE '%%(to prevent wraparound)'",
    )


def cancel_queries(connection: Connection, pids: Sequence[int]) -> list[str]:
    """Cancel what sessions of clients run now; one that is idle in its transaction stays so.

    Args:
        connection: in autocommit mode; sessions of roles that it may not cancel are left.
        pids: server processes.

    Returns:
        What was cancelled, described.
    """
    return _cancel(connection, pids, "a.backend_type = 'client backend' AND a.state = 'active'")


def _cancel(connection: Connection, pids: Sequence[int], which: LiteralString) -> list[str]:
    rows = connection.execute(
        sql.SQL(
            "SELECT a.pid, a.query FROM pg_catalog.pg_stat_activity a"
            " WHERE a.pid = ANY (%s::integer[]) AND a.pid <> pg_catalog.pg_backend_pid() AND {}"
        ).format(sql.SQL(which)),
        [list(pids)],
    ).fetchall()
    cancelled = []
    for pid, query in rows:
        try:
            row = connection.execute("SELECT pg_catalog.pg_cancel_backend(%s)", [pid]).fetchone()
        except errors.InsufficientPrivilege:
            continue
        if row is not None and row[0]:
            cancelled.append(f"process {pid}: {' '.join(query.split())[:80]}")
    return cancelled
