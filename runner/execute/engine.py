"""Runs migrations: one session holds the lock, runs the statements and writes the records.

A transactional file and its record commit together. A non-transactional file has a record of
its start before and of its end after, so that the next run knows which of the two it meets.
"""

from __future__ import annotations

import threading
import time
import uuid
from collections import deque
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from psycopg import Connection, DataError, Error
from psycopg.conninfo import make_conninfo
from psycopg.pq import TransactionStatus

from runner.errors import (
    ConnectionFailedError,
    LockedError,
    MigrationFileError,
    RunInterruptedError,
)
from runner.execute.concurrent_index import drop_index, find_invalid_index, is_concurrent
from runner.execute.events import (
    AttemptFailed,
    Event,
    FileDone,
    FileStarted,
    InvalidIndexDropped,
    Listener,
    LockAwaited,
    Noticed,
    RunDone,
    RunStarted,
    ignore,
)
from runner.execute.failure import statement_error
from runner.execute.observer import Observer
from runner.execute.retry import Patience, retryable
from runner.ledger import selection
from runner.ledger.files import ROLLBACK_SUFFIX, chain_checksums
from runner.ledger.lock import migration_lock
from runner.ledger.records import Recorder, create_tables, read_ledger
from runner.postgres.connect import connect, parse_dsn

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

    from psycopg.errors import Diagnostic

    from runner.ledger.files import Migration
    from runner.ledger.records import Ledger
    from runner.ledger.scanner import Statement


Operation = Literal["APPLY", "ROLLBACK"]


@dataclass(frozen=True)
class Settings:
    """How a run behaves.

    Args:
        deadline: seconds that the run, and then each file, goes on trying for a lock.
        lock_timeout: for statements whose file sets none; below deadlock_timeout, so that the
            migration gives way and never a client.
        waiting_period: how long the old contract must be unused before contract removes it, as
            a PostgreSQL interval; None leaves it to the files.
        schema: the schema of yoyo's tables, None to look for them.
    """

    deadline: float = 600.0
    lock_timeout: str = "200ms"
    waiting_period: str | None = None
    schema: str | None = None


@dataclass(frozen=True)
class Outcome:
    """What a run did.

    Args:
        run: its id.
        operation: APPLY or ROLLBACK.
        migrations: ids, in the order of execution.
        seconds: from start to end.
    """

    run: str
    operation: Operation
    migrations: tuple[str, ...]
    seconds: float


def apply(
    dsn: str,
    migrations: Sequence[Migration],
    *,
    to: str | None = None,
    settings: Settings | None = None,
    listener: Listener = ignore,
) -> Outcome:
    """Apply the migrations that are not applied yet.

    Args:
        dsn: the database.
        migrations: all that the sources hold, in the order of read_migrations.
        to: the last phase or id to apply; None for all but those applied on request only.
        settings: how the run behaves.
        listener: called with each event.

    Returns:
        What was done; no migration when there was nothing to do, and then nothing was written
        and no lock taken.

    Raises:
        TrueupError: one of its kinds for everything that can go wrong.
    """

    def choose(ledger: Ledger) -> list[Migration]:
        half_undone = {r.migration_id for r in ledger.unfinished() if r.operation == "ROLLBACK"}
        return selection.to_apply(migrations, ledger.applied.keys() - half_undone, to=to)

    return _run(dsn, migrations, "APPLY", choose, settings or Settings(), listener)


def rollback(
    dsn: str,
    migrations: Sequence[Migration],
    *,
    to: str | None = None,
    everything: bool = False,
    settings: Settings | None = None,
    listener: Listener = ignore,
) -> Outcome:
    """Roll back applied migrations, newest first.

    Args:
        dsn: the database.
        migrations: all that the sources hold, in the order of read_migrations.
        to: the last phase or id that stays applied.
        everything: all but the baseline; without it and `to`, the newest migration alone.
        settings: how the run behaves.
        listener: called with each event.

    Returns:
        What was done.

    Raises:
        TrueupError: one of its kinds for everything that can go wrong.
    """

    def choose(ledger: Ledger) -> list[Migration]:
        half_done = {r.migration_id for r in ledger.unfinished() if r.operation == "APPLY"}
        return selection.to_roll_back(
            migrations, ledger.applied.keys() | half_done, to=to, everything=everything
        )

    return _run(dsn, migrations, "ROLLBACK", choose, settings or Settings(), listener)


def _run(
    dsn: str,
    migrations: Sequence[Migration],
    operation: Operation,
    choose: Callable[[Ledger], list[Migration]],
    settings: Settings,
    listener: Listener,
) -> Outcome:
    begun = time.monotonic()
    run = f"trueup-{uuid.uuid4()}"
    dsn = make_conninfo(**{**parse_dsn(dsn), "client_encoding": "utf8"})
    with _session(dsn, run, settings) as connection:
        ledger = read_ledger(connection, schema=settings.schema)
        schema = ledger.schema
        # Nothing to do is the usual case of a deployment: no lock, no write.
        if not _jobs(choose(ledger), operation):
            return Outcome(run, operation, (), time.monotonic() - begun)
        database, user = _writable(connection)
        with migration_lock(
            connection,
            schema=schema,
            deadline=settings.deadline,
            prepare=lambda: create_tables(connection, schema),
            waiting=lambda holder: listener(LockAwaited(holder)),
        ):
            ledger = read_ledger(connection, schema=schema)
            jobs = _jobs(choose(ledger), operation)
            recorder = Recorder(connection, schema, run, chain_checksums(migrations))
            executor = _Executor(dsn, run, connection, recorder, settings, listener)
            ids = tuple(job.migration.id for job in jobs)
            listener(RunStarted(run, operation, database, user, ids))
            resumed = {record.migration_id for record in ledger.unfinished()}
            for index, job in enumerate(jobs, start=1):
                migration = job.migration
                listener(
                    FileStarted(
                        migration.id,
                        migration.phase,
                        migration.title,
                        index,
                        len(jobs),
                        migration.id in resumed,
                    )
                )
                executor.execute(job)
        seconds = time.monotonic() - begun
        listener(RunDone(run, operation, ids, seconds))
    return Outcome(run, operation, ids, seconds)


@contextmanager
def _session(dsn: str, run: str, settings: Settings) -> Iterator[Connection]:
    variables = {"lock_timeout": settings.lock_timeout, "trueup.run": run}
    if settings.waiting_period is not None:
        variables["trueup.waiting_period"] = settings.waiting_period
    named = make_conninfo(dsn, application_name=run)
    connection = connect(named, application_name=run, settings=variables)
    try:
        _reset(connection)
        yield connection
    finally:
        connection.close()


def _reset(connection: Connection) -> None:
    """Undo what a file may have set for the session; yoyo gives each file a new connection."""
    connection.execute(
        "RESET SESSION AUTHORIZATION; RESET ALL; DISCARD TEMP; DISCARD SEQUENCES; UNLISTEN *"
    )
    # The server ends the session, and with it the lock, soon after the client has died; where
    # the server's system cannot tell, TCP will in the end.
    with suppress(DataError):
        connection.execute("SET client_connection_check_interval = '1s'")


def _writable(connection: Connection) -> tuple[str, str]:
    row = connection.execute(
        "SELECT current_database(), current_user, pg_catalog.pg_is_in_recovery(),"
        " current_setting('transaction_read_only') = 'on'"
    ).fetchone()
    assert row is not None
    database, user, standby, read_only = row
    if standby or read_only:
        what = "a standby" if standby else "read-only for this role"
        raise ConnectionFailedError(
            f"database {database} is {what}, and migrations write",
            hint="connect to the primary with a role that may write",
        )
    return database, user


@dataclass
class _Executor:
    dsn: str
    run: str
    connection: Connection
    recorder: Recorder
    settings: Settings
    listener: Listener
    _notices: deque[Noticed] = field(default_factory=deque, init=False)
    _speaking: threading.Lock = field(default_factory=threading.Lock, init=False)
    _migration: str = field(default="", init=False)

    def __post_init__(self) -> None:
        self.connection.add_notice_handler(self._notice)

    def execute(self, job: _Job) -> None:
        """Run one file, until it is done or the patience is at its end."""
        begun = time.monotonic()
        migration, operation = job.migration, job.operation
        self._migration = migration.id
        concurrent = any(is_concurrent(statement) for statement in job.statements)
        # A concurrent statement waits without blocking anyone: one long try, not many short ones.
        patience = Patience(0 if concurrent else self.settings.deadline)
        record = None
        with ExitStack() as stack:
            observer: Observer | None = None
            if not migration.transactional:
                record = self.recorder.started(migration, operation)
                observer = stack.enter_context(self._observer(migration))
            while True:
                try:
                    if record is None:
                        self._attempt_transactional(job)
                    else:
                        started = self._server_time()
                        self._attempt_autocommit(job, record, concurrent=concurrent)
                except RunInterruptedError:
                    if record is not None:
                        with suppress(Error):
                            self.recorder.failed(record, "stopped by the user or the system")
                    raise
                except _FailedStatementError as failed:
                    advanced = record is not None and self._advanced(migration, started)
                    pause = patience.next_pause(advanced=advanced)
                    if pause is None or not retryable(failed.error):
                        raise self._final(job, failed, record, patience) from None
                    blockers = observer.blockers if observer else ()
                    if observer is None:
                        observer = stack.enter_context(self._observer(migration))
                    self._emit(
                        AttemptFailed(
                            migration.id,
                            patience.attempts,
                            failed.error.diag.message_primary or str(failed.error),
                            blockers,
                            pause,
                            patience.remaining(),
                        )
                    )
                    self._sleep(pause, job)
                else:
                    break
        _reset(self.connection)
        self._emit(
            FileDone(migration.id, migration.phase, time.monotonic() - begun, patience.attempts + 1)
        )

    def _attempt_transactional(self, job: _Job) -> None:
        statement = job.statements[0] if job.statements else None
        try:
            self.connection.execute("BEGIN")
            for statement in job.statements:
                self.connection.execute(statement.text.encode())
            self._record(job, None)
            self.connection.execute("COMMIT")
        except BaseException as error:
            self._undo()
            raise self._explained(error, job, statement) from None

    def _attempt_autocommit(self, job: _Job, record: int, *, concurrent: bool) -> None:
        statement: Statement | None = None
        try:
            if concurrent:
                self.connection.execute(
                    "SELECT set_config('lock_timeout', %s, false)",
                    [f"{round(self.settings.deadline * 1000)}ms"],
                )
            for statement in job.statements:
                if index := find_invalid_index(self.connection, statement):
                    drop_index(self.connection, index)
                    self._emit(InvalidIndexDropped(job.migration.id, str(index)))
                self.connection.execute(statement.text.encode())
            with self.connection.transaction():
                self._record(job, record)
        except BaseException as error:
            self._undo()
            raise self._explained(error, job, statement) from None

    def _record(self, job: _Job, record: int | None) -> None:
        # The file may have taken another role, which need not know the ledger.
        self.connection.execute("RESET SESSION AUTHORIZATION")
        if job.operation == "APPLY":
            self.recorder.applied(job.migration, record=record)
        else:
            self.recorder.rolled_back(job.migration, record=record)

    def _undo(self) -> None:
        if self.connection.info.transaction_status in (
            TransactionStatus.INTRANS,
            TransactionStatus.INERROR,
        ):
            with suppress(Error):
                self.connection.execute("ROLLBACK")

    def _explained(
        self, error: BaseException, job: _Job, statement: Statement | None
    ) -> BaseException:
        if isinstance(error, KeyboardInterrupt):
            return self._interrupted(job)
        if not isinstance(error, Error):
            return error
        if self.connection.closed or error.sqlstate is None:
            return ConnectionFailedError(
                f"the connection was lost in {job.path.name}: {str(error).strip()}",
                hint="run the same command again: it goes on where the records say it is",
            )
        return _FailedStatementError(error, statement)

    def _interrupted(self, job: _Job) -> RunInterruptedError:
        kept = "nothing of it stays" if job.migration.transactional else "what it committed stays"
        verb = job.operation.lower()
        return RunInterruptedError(
            f"stopped in {job.path.name}: {kept}, and the files before it are done",
            hint=f"run the same `trueup {verb}` again to go on"
            + ("; `trueup rollback` undoes it" if verb == "apply" else ""),
        )

    def _final(
        self, job: _Job, failed: _FailedStatementError, record: int | None, patience: Patience
    ) -> Exception:
        reason = failed.error.diag.message_primary or str(failed.error)
        hint = "correct the cause and run the same command again"
        if record is not None:
            with suppress(Error):
                self.recorder.failed(record, reason)
            if failed.statement and (
                index := find_invalid_index(self.connection, failed.statement)
            ):
                hint = f"index {index} is invalid now; the next run drops it and builds it again"
        if retryable(failed.error):
            return LockedError(
                f"{job.path.name}: {reason}; {patience.attempts} tries within"
                f" {self.settings.deadline:g} s",
                hint="see who holds locks on its tables, then run the same command again",
            )
        if failed.statement is None:
            return failed.error
        return statement_error(
            failed.error, path=job.path, text=job.text, statement=failed.statement, hint=hint
        )

    def _observer(self, migration: Migration) -> Observer:
        return Observer(
            self.dsn,
            run=self.run,
            backend_pid=self.connection.info.backend_pid,
            migration=migration.id,
            report=self._emit,
        )

    def _server_time(self) -> object:
        row = self.connection.execute("SELECT clock_timestamp()").fetchone()
        assert row is not None
        return row[0]

    def _advanced(self, migration: Migration, since: object) -> bool:
        """Whether a failed try of a backfill committed batches."""
        with suppress(Error):
            row = self.connection.execute(
                "SELECT FROM trueup.progress WHERE file = %s AND updated_at >= %s",
                [migration.id, since],
            ).fetchone()
            return row is not None
        return False

    def _sleep(self, seconds: float, job: _Job) -> None:
        try:
            time.sleep(seconds)
        except KeyboardInterrupt:
            raise self._interrupted(job) from None

    def _notice(self, diagnostic: Diagnostic) -> None:
        parts = [diagnostic.message_primary, diagnostic.message_detail, diagnostic.message_hint]
        message = "\n".join(part for part in parts if part)
        self._notices.append(Noticed(self._migration, diagnostic.severity or "NOTICE", message))

    def _emit(self, event: Event) -> None:
        with self._speaking:
            while self._notices:
                self.listener(self._notices.popleft())
            self.listener(event)


class _FailedStatementError(Exception):
    def __init__(self, error: Error, statement: Statement | None) -> None:
        super().__init__(str(error))
        self.error = error
        self.statement = statement


@dataclass(frozen=True)
class _Job:
    """One direction of a migration."""

    migration: Migration
    operation: Operation
    path: Path
    text: str
    statements: tuple[Statement, ...]


def _jobs(migrations: Iterable[Migration], operation: Operation) -> list[_Job]:
    """What is to run, read to the end before anything is run."""
    if operation == "APPLY":
        return [_Job(m, operation, m.path, m.text, m.statements) for m in migrations]
    jobs = []
    for migration in migrations:
        if migration.rollback_path is None:
            raise MigrationFileError(
                f"{migration.path} has no rollback file",
                hint=f"write {migration.id}{ROLLBACK_SUFFIX}, or restore a backup",
            )
        path, text = migration.rollback_path, migration.rollback_text
        jobs.append(_Job(migration, operation, path, text, migration.rollback_statements))
    return jobs
