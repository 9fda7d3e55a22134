"""Runs one file at a time: tries, records, and what happens when a try fails.

A transactional file and its record commit together. A non-transactional file has a record of
its start before and of its end after, so that the next run knows which of the two it meets.
"""

from __future__ import annotations

import re
import threading
import time
from collections import deque
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from psycopg import Connection, Error
from psycopg.pq import TransactionStatus

from runner.errors import (
    ConnectionFailedError,
    LedgerError,
    LockedError,
    RunInterruptedError,
)
from runner.execute.blockers import cancel_autovacuum, cancel_queries
from runner.execute.events import (
    AttemptFailed,
    BlockerCancelled,
    Event,
    FileDone,
    InvalidIndexDropped,
    Listener,
    Noticed,
    TableHeld,
)
from runner.execute.failure import statement_error
from runner.execute.health import spare_clients
from runner.execute.holders import Holder, long_holders, strongly_locked
from runner.execute.observer import Observer
from runner.execute.retry import Patience, retryable
from runner.execute.session import Session, Settings, beginning, names_of_files, open_job
from runner.ledger.concurrent_index import (
    drop_index,
    find_invalid_index,
    find_unrecorded_index,
    is_concurrent,
)

if TYPE_CHECKING:
    from contextlib import AbstractContextManager
    from pathlib import Path

    from psycopg.errors import Diagnostic

    from runner.ledger.files import Migration
    from runner.ledger.records import Recorder
    from runner.ledger.scanner import Statement

Operation = Literal["APPLY", "ROLLBACK"]
_THERE_ALREADY = ("42P06", "42P07", "42701", "42710", "42723")
_SKIPPED = re.compile(r"does not exist, skipping$")
_RENAMES_INDEX = "ATExecAddIndexConstraint"  # the server's function that says so

HOLDER_POLL = 0.1  # seconds between two looks at who holds a table
LONG_FILE = 0.2  # seconds after which a non-transactional file is watched

# Schema, table, function, and other things that are there already.
_IS_THERE = ("42P06", "42P07", "42723", "42710")


@dataclass
class Executor:
    """Runs files one by one on the session that holds the lock.

    Args:
        session: the session.
        recorder: writes the records on the same session.
        settings: deadline and time-outs.
        listener: called with each event.
    """

    session: Session
    recorder: Recorder
    settings: Settings
    listener: Listener
    _notices: deque[Noticed] = field(default_factory=deque, init=False)
    _speaking: threading.Lock = field(default_factory=threading.Lock, init=False)
    _migration: str = field(default="", init=False)
    _connection: Connection = field(init=False)
    _begin: bytes = field(init=False)

    def __post_init__(self) -> None:
        """Listen to the server's messages."""
        self._connection = self.session.connection
        self._begin = beginning(self.session)
        self._connection.add_notice_handler(self._notice)

    def execute(self, job: Job) -> None:
        """Run one file, until it is done or the patience is at its end."""
        begun = time.monotonic()
        migration, operation = job.migration, job.operation
        self._migration = migration.id
        concurrent = any(is_concurrent(statement) for statement in job.statements)
        # A concurrent statement waits without blocking anyone: one long try, not many short ones.
        patience = Patience(0 if concurrent else self.settings.deadline)
        record = None
        spare_clients(self._connection, self.settings.jobs)
        with ExitStack() as stack:
            observer: Observer | None = None
            if not migration.transactional:
                record = self.recorder.started(migration, operation)
                observer = stack.enter_context(self._observer(migration, after=LONG_FILE))
            while True:
                try:
                    if record is None:
                        self._await_holders(job, patience)
                        self._attempt_transactional(job)
                    else:
                        before = self._rows_done(migration)
                        self._attempt_autocommit(job, record, concurrent=concurrent)
                except _FailedError as failed:
                    advanced = record is not None and self._rows_done(migration) > before
                    pause = patience.next_pause(advanced=advanced)
                    blockers = observer.blockers if observer else ()
                    if pause is None or not retryable(failed.error):
                        raise self._final(job, failed, record, patience, blockers) from None
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
        self._connection.execute(self.session.afresh)
        self._emit(
            FileDone(migration.id, migration.phase, time.monotonic() - begun, patience.attempts + 1)
        )

    def _await_holders(self, job: Job, patience: Patience) -> None:
        """Wait until no long transaction holds a table that the file locks against everyone."""
        tables = strongly_locked(job.statements)
        told: set[int] = set()
        while tables and (holders := self._holders(tables)):
            patience.begin()
            described = tuple(holder.description for holder in holders)
            if patience.remaining() <= 0:
                seen = "".join(f"\n    in the way: {holder}" for holder in described)
                raise LockedError(
                    f"{job.path.name}: its tables were never free within"
                    f" {self.settings.deadline:g} s{seen}",
                    hint="end these transactions or wait, then run the same command again",
                )
            if told != {holder.pid for holder in holders}:
                told = {holder.pid for holder in holders}
                self._emit(TableHeld(job.migration.id, described, patience.remaining()))
            self._clear_the_way(job, [holder.pid for holder in holders], patience)
            self._sleep(HOLDER_POLL, job)

    def _holders(self, tables: list[str]) -> list[Holder]:
        with self._names_of_files():
            return long_holders(self._connection, tables)

    def _names_of_files(self) -> AbstractContextManager[None]:
        return names_of_files(self._connection, self.session.search_path)

    def _clear_the_way(self, job: Job, pids: list[int], patience: Patience) -> None:
        cancelled = cancel_autovacuum(self._connection, pids)
        after = self.settings.cancel_blockers
        if after is not None and patience.deadline - patience.remaining() >= after:
            cancelled += cancel_queries(self._connection, pids)
        for blocker in cancelled:
            self._emit(BlockerCancelled(job.migration.id, blocker))

    def _attempt_transactional(self, job: Job) -> None:
        statement = job.statements[0] if job.statements else None
        try:
            self._connection.execute(self._begin)
            for statement in job.statements:
                self._connection.execute(statement.text.encode())
            self._record(job, None)
            self._connection.execute("COMMIT")
        except BaseException as error:
            self._undo()
            raise self._explained(error, job, statement) from None

    def _attempt_autocommit(self, job: Job, record: int, *, concurrent: bool) -> None:
        statement: Statement | None = None
        finished = False
        try:
            if concurrent:
                self._connection.execute(
                    "SELECT set_config('lock_timeout', %s, false)",
                    [f"{round(self.settings.deadline * 1000)}ms"],
                )
            for statement in job.statements:
                with self._names_of_files():
                    index = find_invalid_index(
                        self._connection, statement
                    ) or find_unrecorded_index(self._connection, statement, record)
                if index:
                    drop_index(self._connection, index)
                    self._emit(InvalidIndexDropped(job.migration.id, str(index)))
                self._run_statement(job, statement)
            finished = True
            with self._connection.transaction():
                self._record(job, record)
        except BaseException as error:
            self._undo()
            # The work is done: without its record the next run would find it and not know it.
            if finished and isinstance(error, KeyboardInterrupt):
                with suppress(Error), self._connection.transaction():
                    if not self.recorder.is_done(record):
                        self._record(job, record)
            raise self._explained(error, job, statement) from None

    def _run_statement(self, job: Job, statement: Statement) -> None:
        walk = None
        if job.migration.phase == "backfill" and job.operation == "APPLY":
            from runner.execute.backfill import Backfill, read_walk

            walk = read_walk(statement)
        if walk is None:
            with self._names_of_files():
                self._connection.execute(statement.text.encode())
            return
        Backfill(
            job.migration.id,
            walk,
            self._connection,
            self.settings,
            self.session.search_path,
            lambda number: open_job(self.session, self.settings, number),
            self._emit,
        ).run()

    def _record(self, job: Job, record: int | None) -> None:
        # The file may have taken another role, which need not know the ledger.
        self._connection.execute("RESET SESSION AUTHORIZATION; SET LOCAL search_path = pg_catalog")
        if job.operation == "APPLY":
            self.recorder.applied(job.migration, record=record)
        else:
            self.recorder.rolled_back(job.migration, record=record)

    def _undo(self) -> None:
        # ^C at a bad moment leaves psycopg in a statement whose end it has not read.
        if self._connection.info.transaction_status == TransactionStatus.ACTIVE:
            with suppress(Error):
                self._connection.cancel_safe(timeout=5)
                while self._connection.pgconn.get_result():
                    pass
        if self._connection.info.transaction_status in (
            TransactionStatus.INTRANS,
            TransactionStatus.INERROR,
        ):
            with suppress(Error):
                self._connection.execute("ROLLBACK")
        with suppress(Error):
            self._connection.execute("SET search_path = pg_catalog")

    def _explained(
        self, error: BaseException, job: Job, statement: Statement | None
    ) -> BaseException:
        if isinstance(error, KeyboardInterrupt):
            # Its record stays STARTED: the statement may have been done when the signal came, and
            # then the next run meets an index that it must know for its own.
            return self._interrupted(job)
        if not isinstance(error, Error):
            return error
        # A session that the server ends (57P01 and the like) may be one of the run's jobs.
        if self._connection.closed or (error.sqlstate or "57P0").startswith("57P0"):
            return ConnectionFailedError(
                f"the connection was lost in {job.path.name}: {str(error).strip()}",
                hint="run the same command again: it continues where the records say it is",
            )
        return _FailedError(error, statement)

    def _interrupted(self, job: Job) -> RunInterruptedError:
        kept = "none of it remains" if job.migration.transactional else "what it committed remains"
        verb = job.operation.lower()
        return RunInterruptedError(
            f"stopped in {job.path.name}: {kept}, and the files before it are done",
            hint=f"run the same `trueup {verb}` again to go on"
            + ("; `trueup rollback` undoes it" if verb == "apply" else ""),
        )

    def _final(
        self,
        job: Job,
        failed: _FailedError,
        record: int | None,
        patience: Patience,
        blockers: tuple[str, ...],
    ) -> Exception:
        reason = failed.error.diag.message_primary or str(failed.error)
        hint = "correct the cause and run the same command again"
        if job.migration.phase == "baseline" and failed.error.sqlstate in _IS_THERE:
            hint = "the old tables already exist: first record them with `trueup baseline`"
        if record is not None:
            index = None
            with suppress(Error):
                self.recorder.failed(record, reason)
                if failed.statement:
                    with self._names_of_files():
                        index = find_invalid_index(self._connection, failed.statement)
            if index:
                hint = f"index {index} is invalid now; the next run drops it and builds it again"
        if retryable(failed.error):
            tries = f"{patience.attempts} tries within {self.settings.deadline:g} s"
            seen = "".join(f"\n    in the way: {blocker}" for blocker in blockers)
            return LockedError(
                f"{job.path.name}: {reason}; {tries}{seen}",
                hint="see who holds locks on its tables, then run the same command again",
            )
        if failed.error.sqlstate == "57014" and "statement timeout" in reason:
            hint = "set another for this run in the DSN: options='-c statement_timeout=0'"
        if failed.statement is None:
            return LedgerError(f"{job.path.name}: {reason}", hint=hint)
        return statement_error(
            failed.error, path=job.path, text=job.text, statement=failed.statement, hint=hint
        )

    def _observer(self, migration: Migration, *, after: float = 0.0) -> Observer:
        return Observer(
            self.session.dsn,
            run=self.session.run,
            migration=migration.id,
            report=self._emit,
            after=after,
        )

    def _rows_done(self, migration: Migration) -> int:
        """The rows that a backfill has converted and committed."""
        with suppress(Error):
            row = self._connection.execute(
                "SELECT rows_done FROM trueup.progress WHERE file = %s", [migration.id]
            ).fetchone()
            return row[0] if row else 0
        return 0

    def _sleep(self, seconds: float, job: Job) -> None:
        try:
            time.sleep(seconds)
        except KeyboardInterrupt:
            raise self._interrupted(job) from None

    def _notice(self, diagnostic: Diagnostic) -> None:
        # That something is there already, or gone, is what IF [NOT] EXISTS asked for; that an index
        # gets its constraint's name, what USING INDEX did.
        if diagnostic.severity_nonlocalized == "NOTICE" and (
            diagnostic.sqlstate in _THERE_ALREADY
            or diagnostic.source_function == _RENAMES_INDEX
            or _SKIPPED.search(diagnostic.message_primary or "")
        ):
            return
        parts = [diagnostic.message_primary, diagnostic.message_detail, diagnostic.message_hint]
        message = "\n".join(part for part in parts if part)
        self._notices.append(Noticed(self._migration, diagnostic.severity or "NOTICE", message))

    def _emit(self, event: Event) -> None:
        with self._speaking:
            while self._notices:
                self.listener(self._notices.popleft())
            self.listener(event)


class _FailedError(Exception):
    def __init__(self, error: Error, statement: Statement | None) -> None:
        super().__init__(str(error))
        self.error = error
        self.statement = statement


@dataclass(frozen=True)
class Job:
    """One direction of a migration.

    Args:
        migration: the migration.
        operation: the direction.
        path: the file that runs.
        text: its content.
        statements: the statements of the file.
    """

    migration: Migration
    operation: Operation
    path: Path
    text: str
    statements: tuple[Statement, ...]

    @classmethod
    def of(cls, migration: Migration, operation: Operation) -> Job:
        """The job that applies a migration or rolls it back."""
        m = migration
        if operation == "APPLY":
            return cls(m, operation, m.path, m.text, m.statements)
        path = m.rollback_path or m.path
        return cls(m, operation, path, m.rollback_text, m.rollback_statements)

    @property
    def transactional(self) -> bool:
        """Whether this direction runs in one transaction."""
        back = self.migration.rollback_transactional
        if self.operation == "ROLLBACK" and back is not None:
            return back
        return self.migration.transactional
