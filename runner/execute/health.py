"""What a database's health allows: whether a backfill should wait for standbys, archive or disk."""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from psycopg import errors, sql

if TYPE_CHECKING:
    from typing import Any, LiteralString

    from psycopg import Connection

ARCHIVE_BACKLOG = 64  # WAL files that wait for archive_command: one GB as they usually are


@dataclass(frozen=True)
class Reason:
    """Why a backfill should wait.

    Args:
        kind: the same for the same cause.
        text: what a person is told.
        pause: seconds until the next look.
        once: True when one pause is enough.
    """

    kind: str
    text: str
    pause: float
    once: bool = False


_CLIENTS_ACTIVE = sql.SQL(
    """
    EXISTS (
        SELECT FROM pg_catalog.pg_stat_activity
        WHERE datid IS NOT NULL AND usesysid IS NOT NULL
            AND coalesce(backend_type, 'client backend') = 'client backend'
            AND application_name NOT LIKE 'trueup%'
            AND (
                state = 'active' OR state_change > clock_timestamp() - interval '1 second'
                OR (query = '<insufficient privilege>' AND datname = current_database())
            )
    )
    """
)


def clients_active(connection: Connection) -> bool:
    """Whether a client of the server, in any database, did something within the last second.

    Args:
        connection: to the database.

    Returns:
        True also for a session of this database whose doings the role may not see.
    """
    row = connection.execute(sql.SQL("SELECT {}").format(_CLIENTS_ACTIVE)).fetchone()
    return bool(row and row[0])


def spare_clients(connection: Connection, processes: int) -> None:
    """While clients are active, let a session leave them processors, and write less WAL.

    Their commits wait until all WAL before them is on the disk; compressing it costs time, and a
    role may not be allowed to ask for it.

    Args:
        connection: whose settings are changed, for the session.
        processes: how many a statement may use, the session's own and its parallel workers.
    """
    connection.execute(_sparing(processes - 1, connection.info.server_version >= 150000))


@cache
def _sparing(workers: int, may_be_granted: bool) -> bytes:
    """The statement of spare_clients: every file asks for it."""
    may = sql.SQL(
        "pg_catalog.has_parameter_privilege('wal_compression', 'SET')"
        if may_be_granted
        else "current_setting('is_superuser') = 'on'"
    )
    return (
        sql.SQL(
            """
            SELECT pg_catalog.set_config(name, value, false)
            FROM (
                SELECT name, {workers}::text
                FROM unnest(
                    ARRAY['max_parallel_workers_per_gather', 'max_parallel_maintenance_workers']
                ) AS name
                WHERE current_setting(name)::integer > {workers}
                UNION ALL
                SELECT 'wal_compression', (
                    SELECT CASE WHEN 'lz4' = ANY (enumvals) THEN 'lz4' ELSE 'on' END
                    FROM pg_catalog.pg_settings WHERE name = 'wal_compression'
                )
                WHERE current_setting('wal_compression') = 'off' AND {may}
            ) AS wanted (name, value)
            WHERE {active}
            """
        )
        .format(workers=sql.Literal(workers), may=may, active=_CLIENTS_ACTIVE)
        .as_bytes(None)
    )


class Watch:
    """Looks at a server from a session that works on it; what the role may not see is left out.

    Args:
        connection: in autocommit mode.
        max_lag: seconds that a standby may be behind.

    Attributes:
        standby: the one that was furthest behind at the last look, and how many seconds; None
            where none is seen.
    """

    def __init__(self, connection: Connection, max_lag: float) -> None:
        """Remember how many checkpoints were forced so far."""
        self._connection = connection
        self._max_lag = max_lag
        self._standing: dict[int, tuple[str, float]] = {}
        self.standby: tuple[str, float] | None = None
        self._forced = self._forced_checkpoints()

    def behind(self) -> Reason | None:
        """The first reason to wait, None when there is none."""
        return self._lag() or self._archive() or self._checkpoints()

    def clients_waiting(self, pids: list[int]) -> bool:
        """Whether a session waits for a lock that one of these server processes holds."""
        row = self._row(
            """
            SELECT count(*) FROM pg_catalog.pg_stat_activity
            WHERE wait_event_type = 'Lock' AND pg_catalog.pg_blocking_pids(pid) && %s::integer[]
                AND pid <> ALL (%s::integer[])
            """,
            [pids, pids],
        )
        return bool(row and row[0])

    def _lag(self) -> Reason | None:
        # What its last message told is not enough: a standby that receives nothing sends none. A
        # receiver that only keeps the WAL never replays, and its replay_lag grows for ever.
        rows = self._rows(
            """
            SELECT pid, application_name, at::text, extract(epoch FROM greatest(
                write_lag,
                CASE WHEN flush_lsn IS NOT NULL THEN flush_lag END,
                CASE WHEN replay_lsn IS NOT NULL THEN replay_lag END
            ))::float8, at < pg_catalog.pg_current_wal_flush_lsn()
            FROM pg_catalog.pg_stat_replication,
                coalesce(replay_lsn, flush_lsn, write_lsn, '0/0') AS at
            WHERE state IN ('streaming', 'catchup')
            """
        )
        now = time.monotonic()
        before, self._standing = self._standing, {}
        worst, name = 0.0, ""
        for pid, application, position, told, behind in rows:
            name = name or application
            if not behind:
                continue
            known, since = before.get(pid, ("", now))
            since = since if known == position else now
            self._standing[pid] = position, since
            worst, name = max((worst, name), (max(told or 0.0, now - since), application))
        self.standby = (name, worst) if rows else None
        if worst <= self._max_lag:
            return None
        return Reason(
            f"lag of {name}",
            f"standby {name or '?'} is {worst:.1f} s behind, more than {self._max_lag:g} s",
            0.5,
        )

    def _archive(self) -> Reason | None:
        if self._row("SELECT 1 WHERE current_setting('archive_mode') <> 'off'") is None:
            return None
        row = self._row(
            "SELECT count(*) FROM pg_catalog.pg_ls_archive_statusdir() WHERE name LIKE '%%.ready'",
            [],
        )
        if row is None or row[0] <= ARCHIVE_BACKLOG:
            return None
        return Reason("archive", f"{row[0]} WAL files are waiting to be archived", 1.0)

    def _checkpoints(self) -> Reason | None:
        before, self._forced = self._forced, self._forced_checkpoints()
        if self._forced <= before:
            return None
        return Reason(
            "checkpoint",
            "WAL forces checkpoints early; max_wal_size is small for this",
            1.0,
            once=True,
        )

    def _forced_checkpoints(self) -> int:
        # PostgreSQL 17 moved the counter.
        row = self._row("SELECT num_requested FROM pg_catalog.pg_stat_checkpointer") or self._row(
            "SELECT checkpoints_req FROM pg_catalog.pg_stat_bgwriter"
        )
        return int(row[0]) if row else 0

    def _row(
        self, query: LiteralString, values: list[object] | None = None
    ) -> tuple[Any, ...] | None:
        return next(iter(self._rows(query, values)), None)

    def _rows(
        self, query: LiteralString, values: list[object] | None = None
    ) -> list[tuple[Any, ...]]:
        try:
            return self._connection.execute(query, values).fetchall()
        except (errors.InsufficientPrivilege, errors.UndefinedTable, errors.UndefinedColumn):
            return []
