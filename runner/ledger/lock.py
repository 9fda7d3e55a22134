"""The lock that lets one run at a time change a database, whoever else runs: trueup or plain yoyo.

An advisory lock of the session excludes other runs of trueup and ends with the session, however
the client dies. A row in yoyo's lock table keeps plain yoyo out. Its pid is minus the server
process, so a row with a negative pid that is found while the advisory lock is held is stale.
"""

from __future__ import annotations

import os
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, NamedTuple

from psycopg import Connection, Error, sql

from runner.errors import LockedError
from runner.ledger.tables import in_schema

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

# "trueup" in ASCII, as one 64-bit key; advisory locks are separate for each database.
ADVISORY_KEY = int.from_bytes(b"trueup", "big")
POLL_SECONDS = 0.2


@contextmanager
def migration_lock(
    connection: Connection,
    *,
    schema: str,
    deadline: float,
    prepare: Callable[[], None] = lambda: None,
    waiting: Callable[[str], None] = lambda _holder: None,
) -> Iterator[None]:
    """Hold the migration lock of a database.

    Args:
        connection: the session that will run the migrations, in autocommit mode.
        schema: the schema of yoyo's tables.
        deadline: seconds to wait at most.
        prepare: called once no other run of trueup can interfere, before yoyo's lock table is used.
        waiting: called with a description of the holder, once for each holder.

    Raises:
        LockedError: when the lock was not free within the deadline.
    """
    give_up = time.monotonic() + deadline
    # A blocking pg_advisory_lock would deadlock with a CREATE INDEX CONCURRENTLY of the holder,
    # which waits for the snapshot of whoever waits for the lock.
    _poll(
        lambda: _try_advisory(connection),
        lambda: str(lock_holder(connection) or ""),
        give_up,
        waiting,
    )
    try:
        prepare()
        table = in_schema(schema, "yoyo_lock")
        pid = connection.info.backend_pid
        _poll(
            lambda: _try_row(connection, table, pid),
            lambda: _row_holder(connection, table),
            give_up,
            waiting,
        )
        try:
            yield
        finally:
            with suppress(Error):
                connection.execute(sql.SQL("DELETE FROM {} WHERE pid = %s").format(table), [-pid])
    finally:
        with suppress(Error):
            connection.execute("SELECT pg_catalog.pg_advisory_unlock(%s)", [ADVISORY_KEY])


def require_row(connection: Connection, *, schema: str) -> None:
    """Refuse to go on when somebody took this run's lock away: plain yoyo may work beside it.

    Args:
        connection: the session that holds the lock.
        schema: the schema of yoyo's tables.

    Raises:
        LockedError: when the row is gone.
    """
    held = connection.execute(
        sql.SQL("SELECT FROM {} WHERE pid = %s").format(in_schema(schema, "yoyo_lock")),
        [-connection.info.backend_pid],
    ).fetchone()
    if held is None:
        raise LockedError(
            "the lock of this run was removed, as `yoyo break-lock` does: another may work here",
            hint="make sure that none does (trueup status), then run the same command again",
        )


def remove_stale_row(connection: Connection, *, schema: str) -> None:
    """Remove the row of a run that was killed after its last record: it would keep yoyo out.

    Args:
        connection: a session in autocommit mode; one that may not write leaves the row.
        schema: the schema of yoyo's tables.
    """
    table = in_schema(schema, "yoyo_lock")
    with suppress(Error):
        found = connection.execute(
            sql.SQL("SELECT FROM {} WHERE pid < %s").format(table), [0]
        ).fetchone()
        if found is None or not _try_advisory(connection):
            return
        try:
            connection.execute(sql.SQL("DELETE FROM {} WHERE pid < %s").format(table), [0])
        finally:
            connection.execute("SELECT pg_catalog.pg_advisory_unlock(%s)", [ADVISORY_KEY])


def _poll(
    attempt: Callable[[], bool],
    holder: Callable[[], str],
    give_up: float,
    waiting: Callable[[str], None],
) -> None:
    told = ""
    while not attempt():
        who = holder()
        if who and who != told:
            waiting(who)
            told = who
        if time.monotonic() >= give_up:
            raise LockedError(
                f"the migration lock is held by {told or 'another run'}",
                hint=_HINT_YOYO if "yoyo" in told else "wait for that run, or end it",
            )
        time.sleep(min(POLL_SECONDS, max(0.0, give_up - time.monotonic())))


_HINT_YOYO = "wait for it; when it is dead, `yoyo break-lock` removes its lock"


def _try_advisory(connection: Connection) -> bool:
    row = connection.execute(
        "SELECT pg_catalog.pg_try_advisory_lock(%s)", [ADVISORY_KEY]
    ).fetchone()
    return row is not None and bool(row[0])


class LockHolder(NamedTuple):
    """The run that holds the migration lock.

    Args:
        pid: of its server process.
        description: who it is, from where and since when.
    """

    pid: int
    description: str

    def __str__(self) -> str:
        return self.description


def lock_holder(connection: Connection) -> LockHolder | None:
    """Who holds the migration lock now; None when no run of trueup does."""
    row = connection.execute(
        """
        SELECT a.pid, a.usename, a.application_name, a.client_addr, a.backend_start
        FROM pg_catalog.pg_locks l JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid
        WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1
          AND l.database = (SELECT oid FROM pg_catalog.pg_database
                            WHERE datname = current_database())
          AND (l.classid::bigint << 32) | l.objid::bigint = %s
        """,
        [ADVISORY_KEY],
    ).fetchone()
    if row is None:
        return None
    pid, user, application, address, since = row
    # Who may not see what other roles do is not told from where, and since when.
    seen = f", from {address or 'this host'}, since {since:%Y-%m-%d %H:%M:%S %Z}" if since else ""
    return LockHolder(pid, f"{application or 'trueup'} (server process {pid}, role {user}{seen})")


def _try_row(connection: Connection, table: sql.SQL, pid: int) -> bool:
    with connection.transaction():
        connection.execute(sql.SQL("DELETE FROM {} WHERE pid < %s").format(table), [0])
        inserted = connection.execute(
            sql.SQL(
                "INSERT INTO {} (locked, ctime, pid)"
                " VALUES (1, clock_timestamp() AT TIME ZONE 'UTC', %s)"
                " ON CONFLICT (locked) DO NOTHING"
            ).format(table),
            [-pid],
        )
    return inserted.rowcount == 1


def _row_holder(connection: Connection, table: sql.SQL) -> str:
    row = connection.execute(
        sql.SQL("SELECT pid, ctime FROM {} WHERE pid > %s").format(table), [0]
    ).fetchone()
    if row is None:
        return ""
    pid, since = row
    alive = "is running" if _process_runs(pid) else "is not running: if it ran here, it is dead"
    return (
        f"plain yoyo (process {pid} of its host, since {since:%Y-%m-%d %H:%M:%S} UTC;"
        f" on this host such a process {alive})"
    )


def _process_runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True
