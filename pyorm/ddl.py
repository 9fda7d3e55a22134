"""The CREATE TABLE of an entity, for tests: under the house standard, or for SQLite."""

from __future__ import annotations

from decimal import Decimal
from typing import Any
from uuid import UUID

from psycopg import sql

from pyorm.entity import Declaration, DeclaredColumn, declaration
from pyorm.enums import check_constraint
from pyorm.mapping import POSTGRESQL, SQLITE

DECIMAL = "pyorm_decimal"
"""The collation of numbers that SQLite keeps as text; pyorm.testing.sqlite_database knows it."""


def create_table(entity: type[Any], backend: str = POSTGRESQL) -> str:
    """The statement that creates an entity's table.

    Args:
        entity: the entity.
        backend: POSTGRESQL or SQLITE.
    """
    declared = declaration(entity)
    lines = [_column(declared, column, backend) for column in declared.columns]
    keys = ", ".join(_quote(declared.column(field).name) for field in declared.key)
    lines.append(f"CONSTRAINT {_quote(f'{declared.table}_pkey')} PRIMARY KEY ({keys})")
    for column in declared.columns:
        if column.unique:
            name = _quote(f"{declared.table}_{column.name}_key")
            lines.append(f"CONSTRAINT {name} UNIQUE ({_quote(column.name)})")
        if column.references:
            name = _quote(f"{declared.table}_{column.name}_fkey")
            lines.append(
                f"CONSTRAINT {name} FOREIGN KEY ({_quote(column.name)}) "
                f"REFERENCES {_reference(declared, column.references, backend)}"
            )
        if column.enum and not (column.array and backend == SQLITE):
            name = _quote(check_name(declared, column))
            check = check_constraint(_quote(column.name), column.enum, array=column.array)
            lines.append(f"CONSTRAINT {name} {check}")
    schema = declared.schema if backend == POSTGRESQL else None
    table = ".".join(_quote(name) for name in (schema, declared.table) if name)
    body = ",\n    ".join(lines)
    return f"CREATE TABLE {table} (\n    {body}\n)"


def check_name(declared: Declaration[Any], column: DeclaredColumn) -> str:
    """The name of an enum's CHECK under the house standard."""
    # request.request_type has request_type_check, not request_request_type_check.
    prefix = "" if column.name.startswith(f"{declared.table}_") else f"{declared.table}_"
    return f"{prefix}{column.name}_check"


def _column(declared: Declaration[Any], column: DeclaredColumn, backend: str) -> str:
    not_null = "" if column.nullable else " NOT NULL"
    if backend == POSTGRESQL:
        return f"{_quote(column.name)} {column.sql_type}{'[]' if column.array else ''}{not_null}"
    affinity = "TEXT"
    if not column.array and column.python in (int, bool):
        affinity = "INTEGER"
    elif not column.array and column.python is float:
        affinity = "REAL"
    elif not column.array and column.python is bytes:
        affinity = "BLOB"
    elif not column.array and column.python is Decimal:
        affinity = f"TEXT COLLATE {DECIMAL}"
    elif not column.array and column.python is UUID:
        affinity = "CHAR(36)"  # SQLite takes it for TEXT, and Alembic for what UUIDType says
    return f"{_quote(column.name)} {affinity}{not_null}"


def _reference(declared: Declaration[Any], references: str, backend: str) -> str:
    in_schema = declared.schema and backend == POSTGRESQL and "." not in references
    return f"{_quote(declared.schema or '')}.{references}" if in_schema else references


def _quote(name: str) -> str:
    return sql.Identifier(name).as_string(None)
