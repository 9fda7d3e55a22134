"""What happens between a repository's call and its result, told once for sync and async.

`run` is a generator: it yields the steps to take at the server and is sent their outcome. The sync
and the async session only differ in how they wait.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass
from itertools import count
from typing import Any, Generic, Protocol, TypeVar

import psycopg
from psycopg.pq import TransactionStatus

from pyorm.contract import Auto, Source, agree
from pyorm.errors import ContractChanged
from pyorm.loading import Unreadable
from pyorm.mapping import TableMapping
from pyorm.rows import Make
from pyorm.violations import caused_by, violation_of_postgres

T = TypeVar("T")

ATTEMPTS = 5
"""How often a statement is sent at most when the contract moves under it."""

CHUNK = 400
"""How many rows are made at once: few enough to stay in the processor's caches."""

CHUNKS = 4
"""For how many chunks at a time the collector is put off: a millisecond or two in all."""

cursor_numbers = count(1)


class MakeOf(Protocol):
    """Makes the rows of the user's own SQL: an entity's makers, or results of another type."""

    def knows(self, statement: bytes) -> bool:
        """Whether a statement's columns have been seen to be right."""
        ...

    def learn(self, statement: bytes, names: tuple[str, ...]) -> None:
        """Take in the names of the columns that a statement would return."""
        ...

    def __call__(self, names: tuple[str, ...]) -> Make[Any]:
        """What makes the rows."""
        ...


@dataclass(slots=True)
class Execute:
    """Send one statement and read its rows.

    Args:
        statement: the text.
        parameters: its parameters.
        make: makes entities of the rows, None for plain rows.
        make_of: gives make for the columns of the user's own SQL.
        locks: whether it locks rows, which only a transaction holds.
    """

    statement: bytes
    parameters: Any
    make: Make[Any] | None = None
    make_of: MakeOf | None = None
    locks: bool = False


@dataclass(slots=True)
class Copy:
    """Send rows by binary COPY.

    Args:
        statement: the COPY.
        types: of its columns.
        rows: what the columns get.
    """

    statement: bytes
    types: list[str]
    rows: Iterable[tuple[Any, ...]]


@dataclass(slots=True)
class ExecuteMany:
    """Send one statement for each of many rows: all of them, or none.

    Args:
        statement: the text.
        rows: the parameters.
    """

    statement: bytes
    rows: Iterable[tuple[Any, ...]]


@dataclass(slots=True)
class OpenCursor:
    """Let the server keep a query's rows; the outcome's only item is the cursor.

    Args:
        statement: the text.
        parameters: its parameters.
    """

    statement: bytes
    parameters: Any


class Rollback:
    """End the transaction that the failed statement itself began."""


Step = Execute | Copy | ExecuteMany | OpenCursor | Rollback


@dataclass(slots=True)
class Outcome:
    """What a step gave.

    Args:
        items: the rows, or the entities made of them.
        count: how many rows it touched.
    """

    items: list[Any]
    count: int


Steps = Generator[Step, Outcome, T]


@dataclass(slots=True)
class Operation(Generic[T]):
    """One call of a repository.

    Args:
        step: what to do, for the mapping that holds now (and those of the joined entities).
        finish: makes the result of the outcome.
        written: the entity or the changes that are sent, for errors.
        join: further entities that the statement names.
    """

    step: Callable[..., Step]
    finish: Callable[[Outcome], T]
    written: Any = None
    join: tuple[Source[Any], ...] = ()


class HasStatus(Protocol):
    """What knows a connection's transaction status."""

    @property
    def transaction_status(self) -> int:
        """As libpq tells it."""
        ...


def run(source: Source[Any], operation: Operation[T], connection: HasStatus) -> Steps[T]:
    """Take an operation's step; when the contract changed under it, take it as it should be.

    It is taken again only where that cannot write twice and spoils nothing of the caller's: the
    statement failed, and it stood alone.

    Raises:
        ContractChanged: when it stood within the caller's transaction.
        IntegrityViolation: what the database refused.
    """
    alone = connection.transaction_status == TransactionStatus.IDLE
    for attempts_left in reversed(range(ATTEMPTS)):
        mapping, *others = yield from _mappings((source, *operation.join))
        try:
            return operation.finish((yield operation.step(mapping, *others)))
        except psycopg.Error as error:
            if attempts_left and (yield from _moved(source, mapping, connection, alone, error)):
                continue
            raise_violation(error, source, operation)
            raise
    raise AssertionError


def run_again(
    source: Source[Any],
    operation: Operation[T],
    mapping: TableMapping[Any],
    connection: HasStatus,
    alone: bool,
    error: psycopg.Error,
) -> Steps[T]:
    """Go on as `run` does after an operation's step failed.

    Raises:
        psycopg.Error: the error, when nothing of pyorm's explains it.
    """
    if (yield from _moved(source, mapping, connection, alone, error)):
        return (yield from run(source, operation, connection))
    raise_violation(error, source, operation)
    raise error


def raise_violation(error: psycopg.Error, source: Source[Any], operation: Operation[Any]) -> None:
    """Raise what the database refused, or what came back and cannot be read, if it is that."""
    if isinstance(error, Unreadable):
        raise error.of(source.declared) from error.__cause__
    violation = violation_of_postgres(error, source.declared, operation.written)
    if violation is not None:
        raise violation from caused_by(error, source.declared)


def _mappings(sources: tuple[Source[Any], ...]) -> Steps[list[TableMapping[Any]]]:
    for source in sources:
        if isinstance(source, Auto) and source.current() is None:
            yield from _look(source)
    return agree(sources)


def _look(source: Auto[Any]) -> Steps[None]:
    source.learn((yield Execute(*source.look())).items)


def _moved(
    source: Source[Any],
    mapping: TableMapping[Any],
    connection: HasStatus,
    alone: bool,
    error: psycopg.Error,
) -> Steps[bool]:
    """Find out whether the table moved under a failed statement; make ready to send it again."""
    altered = _plan_is_stale(error)
    if altered:
        mapping.renew()
    if isinstance(source, Auto) and source.explains(error):
        source.forget()
    elif not altered:
        return False
    if not alone:
        # The transaction is the caller's, and the failure ended it: nobody can look now.
        if altered or error.sqlstate in ("42P01", "42703"):
            raise ContractChanged(
                f"{source.declared.name}: {str(error).splitlines()[0]}",
                hint="the table changed within the transaction: run all of it again",
                entity=source.declared.name,
            ) from error
        return False
    if connection.transaction_status != TransactionStatus.IDLE:
        yield Rollback()
    if altered or not isinstance(source, Auto):
        return altered
    yield from _look(source)
    return source.current() is not mapping


def _plan_is_stale(error: psycopg.Error) -> bool:
    """Whether a prepared statement's columns have other types by now: someone ran ALTER TABLE."""
    # The message is in the server's language, and 0A000 is what any unsupported feature has.
    return error.sqlstate == "0A000" and error.diag.source_function == "RevalidateCachedQuery"


def needs_transaction(connection: psycopg.BaseConnection[Any]) -> bool:
    """Whether several statements need a transaction begun for them."""
    idle = connection.pgconn.transaction_status == TransactionStatus.IDLE
    return connection.autocommit and idle
