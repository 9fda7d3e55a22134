"""The one door for SQL that is composed from the expressions of a standard.

The expressions (conditions, casts, defaults) are those that the generated files hold: text, quoted
by runner.quoting. Everything around them is composed with `psycopg.sql`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, LiteralString

from psycopg import Connection, sql
from psycopg.rows import tuple_row

from runner.catalog import Name


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
