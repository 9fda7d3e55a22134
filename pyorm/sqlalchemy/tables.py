"""The SQLAlchemy Table of an entity: the same columns, names and rules."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import MISSING, is_dataclass
from enum import Enum
from typing import Any, Final
from uuid import UUID

from psycopg.types.json import Json, Jsonb
from sqlalchemy import (
    ARRAY,
    JSON,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Date,
    DateTime,
    Double,
    ForeignKeyConstraint,
    Integer,
    LargeBinary,
    MetaData,
    Numeric,
    PrimaryKeyConstraint,
    SmallInteger,
    String,
    Table,
    Text,
    UniqueConstraint,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.dialects.sqlite import BLOB, INTEGER, REAL, TEXT
from sqlalchemy.engine import Dialect
from sqlalchemy.schema import SchemaItem
from sqlalchemy.types import TypeEngine, UserDefinedType

from pyorm.ddl import check_name, folded
from pyorm.entity import Declaration, DeclaredColumn, declaration
from pyorm.enums import check_constraint
from pyorm.errors import DeclarationError, InvalidValue
from pyorm.sqlalchemy.errors import passed_on
from pyorm.sqlalchemy.types import EnumText, EnumTextArray, RuledType, UUIDType, unreadable
from pyorm.storage import Storage, postgres, sqlite

ENTITY = "pyorm_entity"
"""The key of `Table.info` that tells of which entity a table is."""


class _Schema(Enum):
    OF_ENTITY = "the entity's, none for public"


OF_ENTITY: Final = _Schema.OF_ENTITY

_REFERENCE = re.compile(
    r'\s*(?:(?P<schema>"(?:[^"]|"")+"|[\w$]+)\.)?(?P<table>"(?:[^"]|"")+"|[\w$]+)\s*'
    r'\(\s*(?P<column>"(?:[^"]|"")+"|[\w$]+)\s*\)\s*(?P<more>.*)',
    re.DOTALL,
)


def to_table(
    entity: type[Any],
    metadata: MetaData | None = None,
    *more: SchemaItem,
    schema: str | _Schema | None = OF_ENTITY,
) -> Table:
    """The Table of an entity.

    Keys, UNIQUE and CHECK constraints and foreign keys have the names of the house standard, so
    that Alembic finds them. Defaults are the entity's own, made in Python. Values are checked as a
    repository checks them; SQLite stores them as it does under a repository.

    Args:
        entity: the entity.
        metadata: what the Table becomes part of, None for one of its own.
        more: what an entity does not declare: an Index, a constraint of several columns.
        schema: its schema; by default the entity's, and None for `public`, which SQLite has not.

    Raises:
        DeclarationError: when the class is no entity, or a reference cannot be read.
    """
    declared = declaration(entity)
    if schema is OF_ENTITY:
        schema = None if declared.schema == "public" else declared.schema
    return Table(
        declared.table,
        MetaData() if metadata is None else metadata,
        *_columns(declared),
        *_constraints(declared, schema),
        *more,
        schema=schema,
        info={ENTITY: declared.name},
    )


def _columns(declared: Declaration[Any]) -> Iterator[Column[Any]]:
    defaults = {field.name: _default(field) for field in dataclasses.fields(declared.entity)}
    for column in declared.columns:
        yield Column(
            column.name,
            _type(declared, column),
            nullable=column.nullable,
            default=defaults[column.field],
            onupdate=_call(column.on_update),
            autoincrement=False,
        )


def _default(field: dataclasses.Field[Any]) -> Any:
    if field.default_factory is not MISSING:
        return _call(field.default_factory)
    return None if field.default is MISSING else field.default


def _call(function: Callable[[], Any] | None) -> Any:
    # SQLAlchemy hands its context to whatever takes an argument.
    return None if function is None else lambda: function()


def _constraints(declared: Declaration[Any], schema: str | None) -> Iterator[SchemaItem]:
    table = declared.table
    keys = [declared.column(field).name for field in declared.key]
    yield PrimaryKeyConstraint(*keys, name=f"{table}_pkey")
    for column in declared.columns:
        if column.unique:
            yield UniqueConstraint(column.name, name=f"{table}_{column.name}_key")
        if column.references:
            yield ForeignKeyConstraint(
                [column.name],
                [_reference(declared, column, schema)],
                name=f"{table}_{column.name}_fkey",
            )
        if column.enum:
            yield _check(declared, column, column.enum)


def _check(declared: Declaration[Any], column: DeclaredColumn, enum: Any) -> CheckConstraint:
    name = check_name(declared, column)
    quoted = '"' + column.name.replace('"', '""') + '"'
    condition = check_constraint(quoted, enum, array=column.array)
    condition = condition.removeprefix("CHECK (").removesuffix(")")
    check = CheckConstraint(condition.replace(":", r"\:"), name=name)
    # SQLite has no operator on the JSON that a list is there.
    return check.ddl_if(dialect="postgresql") if column.array else check


def _reference(declared: Declaration[Any], column: DeclaredColumn, schema: str | None) -> str:
    found = _REFERENCE.fullmatch(column.references or "")
    parts = {name: _unquoted(part) for name, part in found.groupdict("").items()} if found else {}
    # SQLAlchemy takes the parts of the name apart at their dots.
    if not parts or parts["more"] or "." in parts["table"] + parts["column"]:
        raise DeclarationError(
            f"{declared.name}.{column.field}: the reference {column.references!r} is more than"
            " SQLAlchemy takes by its name",
            hint="write it as `table (column)`, or give to_table a ForeignKeyConstraint",
            entity=declared.name,
            field=column.field,
        )
    if parts["schema"] in ("", declared.schema or "public"):
        parts["schema"] = schema or ""
    return ".".join(part for part in parts.values() if part)


def _unquoted(name: str) -> str:
    return name[1:-1].replace('""', '"') if name.startswith('"') else folded(name)


def _type(declared: Declaration[Any], column: DeclaredColumn) -> TypeEngine[Any]:
    field = f"{declared.name}.{column.field}"
    if column.enum and column.array:
        return EnumTextArray(column.enum, column.length, field)
    if column.enum:
        return EnumText(column.enum, column.length, field)
    if column.python is UUID and not column.array and column.sql_type == "uuid":
        return UUIDType(field)
    return FieldType(declared.name, column)


class FieldType(RuledType[Any]):
    """The type of an entity's field: SQLAlchemy's own, with pyorm's rules before it.

    Args:
        entity: the entity's name, for errors.
        column: its column.
    """

    impl: TypeEngine[Any] | type[TypeEngine[Any]] = Text
    cache_ok = True

    def __init__(self, entity: str, column: DeclaredColumn) -> None:
        super().__init__()
        self.entity = entity
        self.column = column
        plain = _plain(column)
        self.impl = ARRAY(plain) if column.array else plain
        self._of_postgresql = postgres(entity, column)
        self._of_sqlite = sqlite(entity, column)
        self.hashable = not (column.array or self._of_postgresql.is_json)
        if column.python is bool:
            self.coerce_to_is_types = (type(None), bool)  # IS true, as for SQLAlchemy's own

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """The type on one database."""
        return _of_sqlite(self.column) if dialect.name == "sqlite" else self.impl_instance

    def process_bind_param(self, value: Any, dialect: Dialect) -> Any:
        """Check a value and give what the type beneath takes."""
        if value is None:
            return None
        try:
            stored = self._storage(dialect).encode(value)
        except InvalidValue as error:
            raise passed_on(error, f"{self.entity}.{self.column.field}", value) from None
        return _unwrapped(stored)

    def process_result_value(self, value: Any, dialect: Dialect) -> Any:
        """Read what the type beneath gives."""
        decode = self._storage(dialect).decode
        if value is None or not callable(decode):
            return value
        try:
            return decode(value)
        except (ValueError, TypeError, KeyError) as error:
            problem = ValueError(str(error))
            raise unreadable(problem, f"{self.entity}.{self.column.field}", value) from error

    def _storage(self, dialect: Dialect) -> Storage:
        return self._of_sqlite if dialect.name == "sqlite" else self._of_postgresql


def _unwrapped(stored: Any) -> Any:
    """What psycopg would write as JSON, as SQLAlchemy's own JSON type takes it."""
    if isinstance(stored, list):
        return [_unwrapped(item) for item in stored]
    return json.loads(stored.obj) if isinstance(stored, Json | Jsonb) else stored


class _Named(UserDefinedType[Any]):
    """A type that SQLAlchemy has no class for, by its name in SQL."""

    cache_ok = True

    def __init__(self, name: str) -> None:
        self.name = name

    def get_col_spec(self, **_: Any) -> str:
        """The name."""
        return self.name


def _plain(column: DeclaredColumn) -> TypeEngine[Any]:
    """SQLAlchemy's own type of a column, of an element of an array."""
    types: dict[str, TypeEngine[Any]] = {
        "bigint": BigInteger(),
        "boolean": Boolean(),
        "bytea": LargeBinary(),
        "date": Date(),
        "double precision": Double(),
        "integer": Integer(),
        "json": JSON(none_as_null=True),
        "jsonb": JSONB(none_as_null=True),
        "numeric": Numeric(),
        "smallint": SmallInteger(),
        "text": Text(),
        "timestamptz": DateTime(timezone=True),
        "uuid": UUIDType(),
        "varchar": String(column.length),
    }
    if column.python is str and column.sql_type.startswith("varchar("):
        return types["varchar"]
    return types.get(column.sql_type) or _Named(column.sql_type)


def _of_sqlite(column: DeclaredColumn) -> TypeEngine[Any]:
    """The type under a repository: pyorm.ddl writes the same."""
    if column.array or is_dataclass(column.python):
        return TEXT()
    plain: dict[type[Any], TypeEngine[Any]] = {
        int: INTEGER(),
        bool: INTEGER(),
        float: REAL(),
        bytes: BLOB(),
    }
    return plain.get(column.python) or TEXT()
