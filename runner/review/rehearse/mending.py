"""Changes made-up rows until they meet a table's checks."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from psycopg import Connection, Error, sql

from runner.catalog import Column, Constraint, Relation

_CHECK = re.compile(r"CHECK \((?P<expression>.*)\)(?: NO INHERIT)?(?: NOT VALID)?", re.DOTALL)
_LITERAL = re.compile(r"'((?:[^']|'')*)'")
_NUMBER = re.compile(r"(?<![\w.'])-?\d+(?:\.\d+)?(?![\w'])")
_TEXTS = ("character varying", "text", "character", "citext", "name")
_NUMBERS = ("integer", "bigint", "smallint", "numeric", "real", "double precision")
_TIMES = ("date", "timestamp without time zone", "timestamp with time zone")
_ROUNDS = 2  # what mends one check may break another


def checks_of(table: Relation) -> list[tuple[Constraint, sql.SQL]]:
    """A table's checks, each with its expression."""
    found = []
    for constraint in table.constraints:
        if constraint.kind == "c" and (match := _CHECK.fullmatch(constraint.definition)):
            # PostgreSQL's own spelling of what the table's owner wrote, run as the files' role.
            expression: Any = match["expression"]
            found.append((constraint, sql.SQL(expression)))
    return found


def mend(connection: Connection[Any], rows: sql.Composable, table: Relation) -> bool:
    """Change rows that break a check, and delete those that nothing mends.

    Args:
        connection: in a transaction.
        rows: a table of the same columns without the checks.
        table: whose checks to meet.

    Returns:
        Whether a row is another now.
    """
    changed = False
    for _ in range(_ROUNDS):
        for constraint, check in checks_of(table):
            for column, value in _candidates(table, constraint):
                if not _any(connection, rows, check):
                    break
                update = sql.SQL("UPDATE {} SET {} = {} WHERE NOT ({})")
                try:
                    with connection.transaction():
                        connection.execute(
                            update.format(rows, sql.Identifier(column), value, check)
                        )
                    changed = True
                except Error:
                    continue  # a value that does not fit the column
    for _, check in checks_of(table):
        gone = connection.execute(sql.SQL("DELETE FROM {} WHERE NOT ({})").format(rows, check))
        changed = changed or gone.rowcount > 0
    return changed


def _any(connection: Connection[Any], rows: sql.Composable, check: sql.SQL) -> bool:
    query = sql.SQL("SELECT FROM {} WHERE NOT ({}) LIMIT 1").format(rows, check)
    return connection.execute(query).fetchone() is not None


def _candidates(table: Relation, constraint: Constraint) -> Iterator[tuple[str, sql.Composable]]:
    """Values that a check may like, for each of its columns; keys keep telling rows apart."""
    tied = {c for k in table.constraints if k.kind == "f" for c in k.columns}
    unique = {c for index in table.indexes if index.unique for c in index.columns}
    columns = [c for c in table.columns if c.name in constraint.columns and c.name not in tied]
    for column in columns:
        for value in _changes(column):
            yield column.name, value
        if column.name in unique:
            continue
        for value in _values(column, constraint.definition):
            yield column.name, value
        for other in columns:
            if other.type == column.type and other.name != column.name:
                for value in _beside(other):
                    yield column.name, value
        if not column.not_null:
            yield column.name, sql.SQL("NULL")


def _base(column: Column) -> str:
    return column.type.partition("(")[0].strip()


def _changes(column: Column) -> Iterator[sql.Composable]:
    functions: tuple[str, ...] = ("upper", "lower", "btrim") if _base(column) in _TEXTS else ()
    functions = ("abs",) if _base(column) in _NUMBERS else functions
    for function in functions:
        yield sql.SQL("{}({})").format(
            sql.Identifier("pg_catalog", function), sql.Identifier(column.name)
        )


def _values(column: Column, definition: str) -> Iterator[sql.Composable]:
    base = _base(column)
    if base in _TEXTS:
        for literal in _LITERAL.findall(definition):
            text = literal.replace("''", "'")
            yield sql.Literal(text)
            yield sql.Literal(text.replace("%", "a").replace("_", "a"))  # a pattern of LIKE
        yield sql.Literal("")
        yield sql.Literal("a")
    elif base in _NUMBERS:
        for number in _NUMBER.findall(definition):
            for step in ("0", "1", "-1"):
                yield sql.SQL("{}::numeric + {}").format(sql.Literal(number), sql.SQL(step))
        yield sql.Literal(1)
    elif base == "boolean":
        yield sql.Literal(True)
        yield sql.Literal(False)


def _beside(other: Column) -> Iterator[sql.Composable]:
    name = sql.Identifier(other.name)
    yield name
    steps = {_NUMBERS: ("1", "-1"), _TIMES: ("interval '1 day'", "interval '-1 day'")}
    for types, each in steps.items():
        if _base(other) in types:
            for step in each:
                yield sql.SQL("{} + {}").format(name, sql.SQL(step))
