"""Watches a run from a connection of its own: how far a long file is, and who is in its way."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from psycopg import Connection, Error, errors

from runner.errors import TrueupError
from runner.execute.events import Progress
from runner.execute.pace import Pace
from runner.postgres.connect import OURS, connect

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from types import TracebackType

PROGRESS_SECONDS = 0.5
# Often enough to see who outlasts a lock_timeout; too often for hours, as each look takes the
# lock manager's own locks.
BLOCKERS_SECONDS = 0.05


class Observer:
    """Looks on while a run's other sessions work; what it cannot see it leaves out.

    Args:
        dsn: the database.
        run: id of the run, with which the application_name of its sessions begins.
        migration: id of the file that it runs.
        report: called with Progress, from the observer's thread.
        after: seconds before it connects; a file that is done by then costs no connection. A
            file that may take long is also looked at less often.
    """

    def __init__(
        self,
        dsn: str,
        *,
        run: str,
        migration: str,
        report: Callable[[Progress], None],
        after: float = 0.0,
    ) -> None:
        """Prepare to watch; entering the context begins it."""
        self._after = after
        self._dsn = dsn
        self._run = run
        self._migration = migration
        self._report = report
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="observer", daemon=True)
        self.blockers: tuple[str, ...] = ()

    def __enter__(self) -> Observer:
        self._thread.start()
        return self

    def __exit__(
        self,
        _type: type[BaseException] | None,
        _value: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        self._stop.set()
        self._thread.join(timeout=5)

    def _watch(self) -> None:
        if self._stop.wait(self._after):
            return
        try:
            with connect(
                self._dsn, application_name=f"{self._run} observer", settings=OURS
            ) as connection:
                self._look_on(connection)
        except (Error, TrueupError):
            return  # the run itself goes on, or reports its own loss of the server

    def _look_on(self, connection: Connection) -> None:
        row = connection.execute("SELECT clock_timestamp()").fetchone()
        assert row is not None
        begun, pace = row[0], Pace()
        next_progress = 0.0
        pause = PROGRESS_SECONDS if self._after else BLOCKERS_SECONDS
        while not self._stop.wait(pause):
            if seen := _blockers(connection, self._run):
                self.blockers = seen
            if time.monotonic() < next_progress:
                continue
            next_progress = time.monotonic() + PROGRESS_SECONDS
            current = _progress(connection, self._migration, begun)
            if current is None:
                continue
            table, rows, share, at = current
            rate, left = pace.see(self._migration, at.timestamp(), rows, share)
            self._report(Progress(self._migration, table, rows, share, rate, left))


def _blockers(connection: Connection, run: str) -> tuple[str, ...]:
    rows = connection.execute(
        """
        SELECT pid, usename, application_name, state, now() - xact_start, left(query, 60)
        FROM pg_catalog.pg_stat_activity
        WHERE NOT starts_with(application_name, %s) AND pid IN (
            SELECT unnest(pg_catalog.pg_blocking_pids(w.pid))
            FROM pg_catalog.pg_stat_activity w
            WHERE w.wait_event_type = 'Lock' AND starts_with(w.application_name, %s)
        )
        """,
        [run, run],
    ).fetchall()
    return tuple(
        f"process {blocker} ({user or '?'}, {application or 'no application name'},"
        f" {state or 'state hidden'}"
        + (f", transaction open for {age.total_seconds():.1f} s" if age is not None else "")
        + f"): {query}"
        for blocker, user, application, state, age, query in rows
    )


def _progress(
    connection: Connection, migration: str, begun: datetime
) -> tuple[str, int, float, datetime] | None:
    try:
        row = connection.execute(
            "SELECT table_name, rows_done, page, pages, updated_at FROM trueup.progress"
            " WHERE file = %s AND updated_at >= %s",
            [migration, begun],
        ).fetchone()
    except (errors.UndefinedTable, errors.InvalidSchemaName, errors.InsufficientPrivilege):
        return None
    if row is None:
        return None
    table, rows, page, pages, at = row
    return table, rows, min(1.0, page / pages) if pages else 1.0, at
