"""What a database's health allows: whether a backfill should wait for standbys, archive or disk."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from psycopg import errors

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


class Watch:
    """Looks at a server from a session that works on it; what the role may not see is left out.

    Args:
        connection: in autocommit mode.
        max_lag: seconds that a standby may be behind.
    """

    def __init__(self, connection: Connection, max_lag: float) -> None:
        """Remember how many checkpoints were forced so far."""
        self._connection = connection
        self._max_lag = max_lag
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
        row = self._row(
            """
            SELECT application_name,
                extract(epoch FROM greatest(write_lag, flush_lag, replay_lag))::float8 AS lag
            FROM pg_catalog.pg_stat_replication
            WHERE state = 'streaming'
            ORDER BY lag DESC NULLS LAST LIMIT 1
            """
        )
        if row is None or row[1] is None or row[1] <= self._max_lag:
            return None
        return Reason(
            f"lag of {row[0]}",
            f"standby {row[0] or '?'} is {row[1]:.1f} s behind, more than {self._max_lag:g} s",
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
        return Reason("archive", f"{row[0]} WAL files wait to be archived", 1.0)

    def _checkpoints(self) -> Reason | None:
        before, self._forced = self._forced, self._forced_checkpoints()
        if self._forced <= before:
            return None
        return Reason(
            "checkpoint",
            "WAL forces checkpoints ahead of their time; max_wal_size is small for this",
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
        try:
            row = self._connection.execute(query, values).fetchone()
        except (errors.InsufficientPrivilege, errors.UndefinedTable, errors.UndefinedColumn):
            return None
        return row
