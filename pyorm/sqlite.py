"""Taking a repository's steps in SQLite: the backend for a service's own unit tests."""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any, TypeVar
from uuid import uuid4

import psycopg

from pyorm.contract import Source, agree
from pyorm.observe import OnQuery, Timed
from pyorm.operation import Execute, ExecuteMany, OpenCursor, Operation, Outcome, Rollback, Step
from pyorm.rows import Make
from pyorm.storage import ARRAY, DECIMAL, DECIMAL_ARRAY, utc_text
from pyorm.violations import caused_by, violation_of_sqlite

T = TypeVar("T")


def _like(pattern: str, value: str | None) -> bool | None:
    return None if value is None else _pattern(pattern, 0).fullmatch(value) is not None


def _ilike(pattern: str, value: str | None) -> bool | None:
    return None if value is None else _pattern(pattern, re.IGNORECASE).fullmatch(value) is not None


@lru_cache(256)
def _pattern(pattern: str, flags: int) -> re.Pattern[str]:
    """PostgreSQL's pattern of LIKE as a regular expression."""
    wild = {"%": ".*", "_": "."}
    parts = re.findall(r"\\(.)|(.)", pattern, re.DOTALL)
    text = "".join(re.escape(escaped) or wild.get(one, re.escape(one)) for escaped, one in parts)
    return re.compile(text, flags | re.DOTALL)


def _now() -> str:
    return utc_text(datetime.now(UTC))


# PostgreSQL's, under its names where a default can name them.
FUNCTIONS: tuple[tuple[str, int, Callable[..., Any]], ...] = (
    ("pyorm_like", 2, _like),
    ("pyorm_ilike", 2, _ilike),
    ("now", 0, _now),
    ("clock_timestamp", 0, _now),
    ("gen_random_uuid", 0, lambda: str(uuid4())),
)


def _number(text: str) -> tuple[bool, Decimal]:
    """What a numeric is ordered by: NaN is greater than all others, and equal to itself."""
    number = Decimal(text)
    return number.is_nan(), Decimal(0) if number.is_nan() else number


def _by(key: Callable[[str], Any]) -> Callable[[str, str], int]:
    def compare(a: str, b: str) -> int:
        first, second = key(a), key(b)
        return int(first > second) - int(first < second)

    return compare


COLLATIONS = {
    DECIMAL: _by(_number),
    # A float that is NaN is text among numbers, and greater.
    ARRAY: _by(lambda text: [(isinstance(each, str), each) for each in json.loads(text)]),
    DECIMAL_ARRAY: _by(lambda text: [_number(each) for each in json.loads(text)]),
}


def prepare(connection: sqlite3.Connection) -> None:
    """Give a connection PostgreSQL's functions, and its order of what SQLite keeps as text."""
    for name, arguments, function in FUNCTIONS:
        connection.create_function(name, arguments, function)
    for name, collation in COLLATIONS.items():
        connection.create_collation(name, collation)


class SqliteBackend:
    """Takes steps on a connection; what it begins it leaves open, as sqlite3 itself does."""

    def __init__(self, connection: sqlite3.Connection, *, on_query: OnQuery | None = None) -> None:
        self._connection = connection
        self._on_query = on_query
        prepare(connection)

    def run(self, source: Source[Any], operation: Operation[T]) -> T:
        """Do an operation."""
        step = operation.step(*agree((source, *operation.join)))
        try:
            return operation.finish(self._take(step))
        except (sqlite3.Error, OverflowError) as error:
            violation = violation_of_sqlite(error, source.declared, operation.written)
            if violation is None:
                raise
            raise violation from caused_by(error, source.declared)

    def stream(self, source: Source[Any], operation: Operation[tuple[Any, Make[T]]]) -> Iterator[T]:
        """Read all rows first, so that what is written meanwhile does not change which they are."""
        cursor, make = self.run(source, operation)
        yield from make(cursor.fetchall())

    def _take(self, step: Step) -> Outcome:
        """Take a step, and tell the hook of it."""
        if self._on_query is None or isinstance(step, Rollback):
            return self._do(step)
        timed = Timed(self._on_query, step.statement)
        try:
            outcome = self._do(step)
        except Exception as error:
            timed.ended(-1, error)
            raise
        timed.ended(outcome.count)
        return outcome

    def _do(self, step: Step) -> Outcome:
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


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """A transaction; within another one a part of it, which is undone alone."""
    nested = connection.in_transaction
    connection.execute("SAVEPOINT pyorm_part" if nested else "BEGIN")
    try:
        yield
        if not nested:
            connection.execute("COMMIT")
    except BaseException as error:
        connection.execute("ROLLBACK TO pyorm_part" if nested else "ROLLBACK")
        if not isinstance(error, psycopg.Rollback):
            raise
    finally:
        if nested:
            connection.execute("RELEASE pyorm_part")


class AsyncSqliteBackend:
    """The same for async code under test: it never waits, since nobody else uses the database."""

    def __init__(self, connection: sqlite3.Connection, *, on_query: OnQuery | None = None) -> None:
        self._backend = SqliteBackend(connection, on_query=on_query)

    async def run(self, source: Source[Any], operation: Operation[T]) -> T:
        """Do an operation."""
        return self._backend.run(source, operation)

    async def stream(
        self, source: Source[Any], operation: Operation[tuple[Any, Make[T]]]
    ) -> AsyncIterator[T]:
        """Read rows as they are wanted."""
        for made in self._backend.stream(source, operation):
            yield made
