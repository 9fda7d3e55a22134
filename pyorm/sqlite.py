"""Taking a repository's steps in SQLite: the backend for a service's own unit tests."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import closing, contextmanager
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
        """Read all rows first, so that what is written meanwhile does not change which they are."""
        cursor, make = self.run(source, operation)
        yield from make(cursor.fetchall())

    def _take(self, step: Step) -> Outcome:
        if isinstance(step, ExecuteMany):
            with self._all_or_none():
                many = self._connection.executemany(step.statement.decode(), step.rows)
            return Outcome([], max(many.rowcount, 0))
        if isinstance(step, Execute) and step.make_of and not step.make_of.knows(step.statement):
            # SQLite tells the columns of a statement that it runs, not before.
            with self._all_or_none(), closing(self._execute(step)) as cursor:
                step.make_of.learn(step.statement, _names(cursor))
                return self._outcome(cursor, step)
        assert isinstance(step, Execute | OpenCursor)
        cursor = self._execute(step)
        return self._outcome(cursor, step) if isinstance(step, Execute) else Outcome([cursor], 0)

    def _execute(self, step: Execute | OpenCursor) -> sqlite3.Cursor:
        cursor = self._connection.cursor()
        cursor.row_factory = None
        return cursor.execute(step.statement.decode(), step.parameters or ())

    def _outcome(self, cursor: sqlite3.Cursor, step: Execute) -> Outcome:
        names = _names(cursor)
        if not names:
            return Outcome([], cursor.rowcount)
        make = step.make or (step.make_of(names) if step.make_of else None)
        rows = cursor.fetchall()
        return Outcome(make(rows) if make else rows, len(rows))

    @contextmanager
    def _all_or_none(self) -> Iterator[None]:
        connection = self._connection
        if connection.isolation_level is not None and not connection.in_transaction:
            connection.execute("BEGIN")
        connection.execute("SAVEPOINT pyorm")
        try:
            yield
        except BaseException:
            connection.execute("ROLLBACK TO pyorm")
            raise
        finally:
            connection.execute("RELEASE pyorm")


def _names(cursor: sqlite3.Cursor) -> tuple[str, ...]:
    return tuple(column[0] for column in cursor.description or ())


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
