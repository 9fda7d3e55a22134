"""Reading under one snapshot, and the one door for SQL composed from a standard's expressions.

The expressions (conditions, casts, defaults) are those that the generated files hold: text, quoted
by runner.quoting. Everything around them is composed with `psycopg.sql`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, LiteralString

import psycopg
from psycopg import Connection, IsolationLevel, sql
from psycopg.pq import TransactionStatus
from psycopg.rows import tuple_row

from runner.errors import ConnectionFailedError, LockedError, StatementError, TrueupError
from runner.quoting import Name

LOCK_TIMEOUT = "5s"


def expression(text: str) -> sql.SQL:
    """An expression that runner.generate or runner.preflight.rules wrote."""
    return sql.SQL(text)


def expressions(texts: Iterable[str], separator: LiteralString = ", ") -> sql.Composed:
    """Several of them, joined."""
    return sql.SQL(separator).join(map(expression, texts))


def table(name: Name) -> sql.Identifier:
    """A qualified name."""
    return sql.Identifier(*name)


def fetch_all(connection: Connection[Any], query: sql.SQL | sql.Composed) -> list[tuple[Any, ...]]:
    """All rows of a query, as tuples whatever the connection's row factory is."""
    with connection.cursor(row_factory=tuple_row) as cursor:
        return cursor.execute(query).fetchall()


def fetch_one(connection: Connection[Any], query: sql.SQL | sql.Composed) -> tuple[Any, ...]:
    """The first row of a query that always has one."""
    return fetch_all(connection, query)[0]


@contextmanager
def read_only(connection: Connection[Any], verb: str) -> Iterator[None]:
    """One read-only transaction with one snapshot, which the server itself holds to that.

    Args:
        connection: without an open transaction.
        verb: what runs in it, for messages: check, verify.

    Raises:
        LockedError: somebody holds a table's strongest lock for longer than a few seconds.
        StatementError: the server refused a query, or its time ran out.
        ConnectionFailedError: the connection was lost.
    """
    if connection.info.transaction_status is not TransactionStatus.IDLE:
        raise TrueupError(f"{verb} needs a connection without an open transaction")
    before = connection.read_only, connection.isolation_level
    connection.read_only, connection.isolation_level = True, IsolationLevel.REPEATABLE_READ
    try:
        with connection.transaction():
            # An error rather than hidden rows; no queue behind a strong lock; the queries are
            # long and simple, and compiling them costs more than it gives. They group rows by
            # outcomes, of which the planner expects many and there are few: hashed, not sorted.
            connection.execute("SET LOCAL row_security = off")
            connection.execute("SELECT set_config('lock_timeout', %s, true)", [LOCK_TIMEOUT])
            connection.execute("SET LOCAL jit = off")
            connection.execute("SET LOCAL enable_sort = off")
            yield
    except psycopg.errors.LockNotAvailable as error:
        raise LockedError(
            f"{verb} had to wait for a lock for {LOCK_TIMEOUT}: {error.diag.message_primary}",
            hint="Somebody is changing a table's definition; try again when it is done.",
        ) from None
    except psycopg.errors.QueryCanceled as error:
        raise StatementError(
            f"the server ended {verb}: {error.diag.message_primary}",
            hint="Give the role a longer statement_timeout: PGOPTIONS='-c statement_timeout=0'.",
        ) from None
    except psycopg.OperationalError as error:
        raise ConnectionFailedError(f"the server ended {verb}: {error}") from None
    except psycopg.Error as error:
        raise StatementError(f"the server refused a query of {verb}: {error}") from None
    finally:
        if not connection.closed:
            connection.read_only, connection.isolation_level = before
