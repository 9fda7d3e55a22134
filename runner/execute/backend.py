"""A backend for the plain `yoyo` command: trueup's lock, engine and records behind its verbs.

Registered in the entry-point group yoyo.backends under the scheme postgresql+trueup.
"""

from __future__ import annotations

import sys
import uuid
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from yoyo.backends.core.postgresql import PostgresqlPsycopgBackend
from yoyo.migrations import ancestors, default_migration_table, topological_sort
from yoyo.scripts.main import InvalidArgument

from runner.config import ledger_schema
from runner.errors import TrueupError
from runner.execute.events import (
    AttemptFailed,
    Event,
    InvalidIndexDropped,
    Listener,
    LockAwaited,
    Noticed,
)
from runner.execute.executor import Executor, Job
from runner.execute.listeners import text_listener
from runner.execute.session import Settings, hold_lock, names_of_files, open_session
from runner.ledger.files import chain_checksums, read_migration
from runner.ledger.records import Recorder, host, os_user, read_ledger
from runner.ledger.rules import check_files

if TYPE_CHECKING:
    from collections.abc import Iterator

    import psycopg
    from yoyo.migrations import Migration

    from runner.execute.executor import Operation


def _what_matters(listener: Listener) -> Listener:
    """Tell what went otherwise than planned; the stock command says nothing of the rest."""

    def listen(event: Event) -> None:
        if isinstance(event, AttemptFailed | InvalidIndexDropped | LockAwaited | Noticed):
            listener(event)

    return listen


class LedgerBackend(PostgresqlPsycopgBackend):  # type: ignore[misc]
    """Runs what yoyo decides to run, on one session that holds the lock and writes the records."""

    _is_locked: bool

    def connect(self, dburi: Any) -> psycopg.Connection:
        """Open the session; the connection is in autocommit mode."""
        settings = Settings(schema=ledger_schema(str(dburi)))
        with _shown_by_yoyo():
            self._session_context = open_session(str(dburi), settings)
            self._session = self._session_context.__enter__()
            self._schema = read_ledger(self._session.connection, schema=settings.schema).schema
        return self._session.connection

    def init_database(self) -> None:
        """Create nothing yet: the tables are made under the lock."""
        if self.migration_table != default_migration_table:
            raise InvalidArgument(
                f"migration_table is {self.migration_table}; trueup keeps {default_migration_table}"
            )

    def ensure_internal_schema_updated(self) -> None:
        """Do nothing, for the same reason."""

    def quote_identifier(self, s: str) -> str:
        """Quote a name; a table of the ledger is qualified, whatever the role's search_path."""
        quoted = str(super().quote_identifier(s))
        tables = (self.log_table, self.lock_table, self.version_table, self.migration_table)
        if s in tables:
            return f"{super().quote_identifier(self._schema)}.{quoted}"
        return quoted

    @contextmanager
    def lock(self, timeout: float = 10) -> Iterator[None]:
        """Hold the migration lock.

        Args:
            timeout: seconds to wait; 0 for no limit.
        """
        if self._is_locked:
            yield
            return
        settings = Settings(deadline=timeout or float("inf"))
        with (
            _shown_by_yoyo(),
            hold_lock(self._session, self._schema, settings, text_listener(sys.stderr)),
        ):
            self._is_locked = True
            try:
                yield
            finally:
                self._is_locked = False

    def apply_one(self, migration: Migration, mark: bool = True, force: bool = False) -> None:
        """Apply a migration and record it; post-apply files and --force stay yoyo's own."""
        if force or not mark:
            with names_of_files(self.connection, self._session.search_path):
                super().apply_one(migration, mark, force)
        else:
            self._execute(migration, "APPLY")

    def rollback_one(self, migration: Migration, force: bool = False) -> None:
        """Roll a migration back and record it; --force stays yoyo's own."""
        if force:
            with names_of_files(self.connection, self._session.search_path):
                super().rollback_one(migration, force)
        else:
            self._execute(migration, "ROLLBACK")

    def get_log_data(self, migration: Migration = None, operation: str = "apply") -> dict[str, Any]:
        """What yoyo's log says of an operation; works for a user id without a name, too."""
        return {
            "id": str(uuid.uuid4()),
            "migration_id": migration.id if migration else None,
            "migration_hash": migration.hash if migration else None,
            "username": os_user(),
            "hostname": host(),
            "created_at_utc": datetime.now(UTC).replace(tzinfo=None),
            "operation": operation,
        }

    def _execute(self, migration: Migration, operation: Operation) -> None:
        with _shown_by_yoyo():
            line = topological_sort([*ancestors(migration, ()), migration])
            migrations = [read_migration(Path(m.path)) for m in line]
            check_files(migrations[-1:])
            recorder = Recorder(
                self.connection, self._schema, self._session.run, chain_checksums(migrations)
            )
            executor = Executor(
                self._session, recorder, Settings(), _what_matters(text_listener(sys.stderr))
            )
            executor.execute(Job.of(migrations[-1], operation))


@contextmanager
def _shown_by_yoyo() -> Iterator[None]:
    """Turn trueup's errors into the one kind that the yoyo command shows without a traceback."""
    try:
        yield
    except TrueupError as error:
        raise InvalidArgument(str(error)) from error
