"""Runs the files of a rehearsal one by one, and traces each statement."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from psycopg import Connection, Error, errors

from runner.errors import LockedError, TrueupError
from runner.execute.executor import Job
from runner.execute.failure import statement_error
from runner.execute.retry import Patience, retryable
from runner.ledger.concurrent_index import drop_index, find_invalid_index
from runner.postgres import trace
from runner.postgres.connect import connect
from runner.postgres.trace import Trace, Tracer
from runner.quoting import told_name

if TYPE_CHECKING:
    from runner.ledger.files import Migration
    from runner.ledger.scanner import Statement
    from runner.postgres.locks import LockMode
    from runner.postgres.plain import Allowance

_NAME = "trueup rehearsal"
# As trueup's own runs: the migration gives way, never a client; contract need not wait here.
_SETTINGS = {
    **trace.SETTINGS,
    "lock_timeout": "200ms",
    "trueup.run": "rehearsal",
    "trueup.waiting_period": "0 seconds",
}
DEADLINE = 60.0
_REHEARSAL = "this was a rehearsal: the live database was not touched"
_DENIED = f"files are rehearsed without a superuser's rights; {_REHEARSAL}"


@dataclass(frozen=True)
class Held:
    """A lock of a statement, in seconds since its file's last try began, and for how long."""

    statement: int
    relation: str
    mode: LockMode
    begun: float
    seconds: float


@dataclass(frozen=True)
class FileRun:
    """One direction of one migration, as it ran.

    Args:
        migration: the migration.
        direction: "up" or "down".
        begun: on the monotonic clock, its last try.
        ended: when it was committed.
        attempts: tries it took.
        statements: that ran.
        traces: one for each of them.
        held: the locks that others could see, on what was there before.
        commit: seconds that COMMIT took.
        oids: of the relations by name, as they were when it began.
    """

    migration: Migration
    direction: str
    begun: float
    ended: float
    attempts: int
    statements: tuple[Statement, ...]
    traces: tuple[Trace, ...]
    held: tuple[Held, ...]
    commit: float
    oids: Mapping[str, int]


def run_file(dsn: str, migration: Migration, direction: str, allowance: Allowance) -> FileRun:
    """Run one direction of a migration, and try again while clients hold its locks.

    Args:
        dsn: the database.
        migration: whose file to run.
        direction: "up" or "down".
        allowance: what files are let off; more is added.

    Returns:
        What it did.

    Raises:
        StatementError: PostgreSQL refused a statement.
        LockedError: a lock was not to be had within a minute.
    """
    job = Job.of(migration, "APPLY" if direction == "up" else "ROLLBACK")
    patience = Patience(DEADLINE)
    done: list[tuple[float, Trace]] = []
    while True:
        # yoyo gives each file a new connection too.
        with connect(dsn, application_name=_NAME, settings=_SETTINGS) as connection:
            names = relation_names(connection)
            # What a file commits statement by statement is not done again.
            attempt = _Attempt(dsn, connection, job, allowance, () if job.transactional else done)
            try:
                begun = time.monotonic()
                attempt.run()
                ended = time.monotonic()
            except Error as error:
                pause = patience.next_pause() if retryable(error) else None
                if pause is None:
                    raise attempt.explained(error) from error
                done = attempt.done
            else:
                return FileRun(
                    migration,
                    direction,
                    begun,
                    ended,
                    patience.attempts + 1,
                    job.statements,
                    tuple(traced for _, traced in attempt.done),
                    tuple(attempt.held()),
                    attempt.commit,
                    {name: oid for oid, name in names.items()},
                )
        time.sleep(pause)


def relation_names(connection: Connection[Any]) -> dict[int, str]:
    """The name of each table, view and index of a user's schemas, by oid."""
    rows = connection.execute(
        "SELECT c.oid::bigint, n.nspname, c.relname"
        " FROM pg_catalog.pg_class AS c"
        " JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace"
        " WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'"
        " AND c.relkind IN ('r', 'p', 'v', 'm', 'f')"
    ).fetchall()
    return {oid: told_name(schema, name) for oid, schema, name in rows}


class _Attempt:
    def __init__(
        self,
        dsn: str,
        connection: Connection[Any],
        job: Job,
        allowance: Allowance,
        done: Sequence[tuple[float, Trace]],
    ) -> None:
        self._dsn, self._connection, self._job = dsn, connection, job
        self._tracer = Tracer(connection, allowance)
        self._statement = job.statements[0] if job.statements else None
        # When each statement began, in seconds since the file did, and what it did.
        self.done = list(done)
        self.commit = 0.0

    def run(self) -> None:
        origin = time.monotonic()
        tracer = self._tracer
        inside = self._job.transactional
        if inside:
            self._connection.execute("BEGIN")
            tracer.begin()
        for statement in self._job.statements[len(self.done) :]:
            self._statement = statement
            start = time.monotonic() - origin
            if inside:
                traced = tracer.run(statement.text)
            else:
                if index := find_invalid_index(self._connection, statement):
                    drop_index(self._connection, index)
                traced = tracer.run_outside(statement.text, self._dsn)
            self.done.append((start, traced))
        begun = time.perf_counter()
        if inside:
            self._connection.execute("COMMIT")
        self.commit = time.perf_counter() - begun

    def held(self) -> list[Held]:
        """Each lock's time: to COMMIT in a transaction, without what the tracing took."""
        found = []
        for index, (start, traced) in enumerate(self.done):
            rest = sum(later.seconds for _, later in self.done[index:]) + self.commit
            for lock in traced.locks:
                if not lock.new:
                    seconds = lock.held if traced.sampled else rest
                    found.append(Held(index, lock.relation, lock.mode, start, seconds))
        return found

    def explained(self, error: Error) -> TrueupError:
        """One clear message for what stopped the file."""
        job = self._job
        if retryable(error):
            return LockedError(f"{job.path.name}: {error.diag.message_primary}, for {DEADLINE:g} s")
        if self._statement is None:
            return TrueupError(f"{job.path.name}: {error}")
        return statement_error(
            error,
            path=job.path,
            text=job.text,
            statement=self._statement,
            hint=_DENIED if isinstance(error, errors.InsufficientPrivilege) else _REHEARSAL,
        )


def in_order(migrations: Sequence[Migration], direction: str) -> Sequence[Migration]:
    """The files in the order in which a direction runs them."""
    return migrations if direction == "up" else migrations[::-1]
