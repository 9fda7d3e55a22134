"""Taking a repository's steps in SQLite: the backend for a service's own unit tests."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator, Iterator
from typing import Any, TypeVar

from pyorm.contract import Source, agree
from pyorm.operation import Execute, ExecuteMany, OpenCursor, Operation, Outcome, Step
from pyorm.rows import Make
from pyorm.violations import violation_of_sqlite

T = TypeVar("T")


class SqliteBackend:
    """Takes steps on a connection; what it begins it leaves open, as sqlite3 itself does."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def run(self, source: Source[Any], operation: Operation[T]) -> T:
        """Do an operation."""
        step = operation.step(*agree((source, *operation.join)))
        try:
            return operation.finish(self._take(step))
        except sqlite3.Error as error:
            violation = violation_of_sqlite(error, source.declared, operation.written)
            if violation is None:
                raise
            raise violation from error

    def stream(self, source: Source[Any], operation: Operation[tuple[Any, Make[T]]]) -> Iterator[T]:
        """Read rows as they are wanted."""
        cursor, make = self.run(source, operation)
        while rows := cursor.fetchmany(1_000):
            yield from make(rows)

    def _take(self, step: Step) -> Outcome:
        if isinstance(step, ExecuteMany):
            return self._all_or_none(step)
        assert isinstance(step, Execute | OpenCursor)
        cursor = self._connection.cursor()
        cursor.row_factory = None
        cursor.execute(step.statement.decode(), step.parameters or ())
        if not isinstance(step, Execute):
            return Outcome([cursor], 0)
        if cursor.description is None:
            return Outcome([], cursor.rowcount)
        names = tuple(column[0] for column in cursor.description)
        make = step.make or (step.make_of(names) if step.make_of else None)
        rows = cursor.fetchall()
        return Outcome(make(rows) if make else rows, len(rows))

    def _all_or_none(self, step: ExecuteMany) -> Outcome:
        connection = self._connection
        if connection.isolation_level is not None and not connection.in_transaction:
            connection.execute("BEGIN")
        connection.execute("SAVEPOINT pyorm")
        try:
            count = connection.executemany(step.statement.decode(), step.rows).rowcount
        except BaseException:
            connection.execute("ROLLBACK TO pyorm")
            raise
        finally:
            connection.execute("RELEASE pyorm")
        return Outcome([], max(count, 0))


class AsyncSqliteBackend:
    """The same for async code under test: it never waits, since nobody else uses the database."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._backend = SqliteBackend(connection)

    async def run(self, source: Source[Any], operation: Operation[T]) -> T:
        """Do an operation."""
        return self._backend.run(source, operation)

    async def stream(
        self, source: Source[Any], operation: Operation[tuple[Any, Make[T]]]
    ) -> AsyncIterator[T]:
        """Read rows as they are wanted."""
        for made in self._backend.stream(source, operation):
            yield made
