"""Types of columns with pyorm's rules: refused before it is sent, the same on every database."""

from __future__ import annotations

import json
from typing import Any, Generic, TypeVar
from uuid import UUID

from sqlalchemy import CHAR, String, Text
from sqlalchemy.dialects import postgresql
from sqlalchemy.engine import Dialect
from sqlalchemy.sql import operators
from sqlalchemy.types import TypeDecorator, TypeEngine

from pyorm.enums import SharedEnum
from pyorm.errors import MappingError
from pyorm.sqlalchemy.errors import passed_on
from pyorm.values import to_uuid

M = TypeVar("M", bound=SharedEnum)
T = TypeVar("T")


_COMPARISONS = frozenset(
    {
        operators.eq,
        operators.ne,
        operators.lt,
        operators.le,
        operators.gt,
        operators.ge,
        operators.in_op,
        operators.not_in_op,
        operators.is_distinct_from,
        operators.is_not_distinct_from,
    }
)


class RuledType(TypeDecorator[T]):
    """A type of the database with pyorm's rules before it."""

    def coerce_compared_value(self, op: Any, value: Any) -> Any:
        """The type of what it is compared with; of a LIKE's pattern, or of what is added to it."""
        if op in _COMPARISONS:
            return self
        return self.impl_instance.coerce_compared_value(op, value)


class UUIDType(RuledType[UUID]):
    """A uuid: native on PostgreSQL, its 36 characters elsewhere, in Python a UUID everywhere.

    Takes a UUID or its text in any usual spelling; anything else is an InvalidValue.

    Args:
        field: what errors call it, as `Entity.field`.
    """

    impl = CHAR(36)
    cache_ok = True

    def __init__(self, field: str = "") -> None:
        super().__init__()
        self.field = field

    def __repr__(self) -> str:
        return "UUIDType()"

    @property
    def python_type(self) -> type[UUID]:
        """The type of its values."""
        return UUID

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """The type on one database."""
        return postgresql.UUID(as_uuid=True) if is_postgresql(dialect) else CHAR(36)

    def process_bind_param(self, value: Any, dialect: Dialect) -> Any:
        """Check a value and give what the driver takes."""
        if value is None:
            return None
        try:
            uuid = to_uuid(value)
        except ValueError as error:
            raise passed_on(error, self.field, value) from None
        return uuid if is_postgresql(dialect) else str(uuid)

    def process_result_value(self, value: Any, dialect: Dialect) -> UUID | None:
        """Read what the driver gave."""
        if value is None or isinstance(value, UUID):
            return value
        try:
            return to_uuid(value)
        except ValueError as error:
            raise unreadable(error, self.field, value) from None


class EnumText(RuledType[M], Generic[M]):
    """A shared enum as text: read in any case, written in uppercase.

    What is no value of the enum is an UnknownEnumValue that lists the valid ones; in a row that
    is there already, a MappingError.

    Args:
        enum: the shared enum.
        length: the most characters of the column, None for any number.
        field: what errors call it, as `Entity.field`.
    """

    impl = String
    cache_ok = True

    def __init__(self, enum: type[M], length: int | None = None, field: str = "") -> None:
        super().__init__(length)
        self.enum = enum
        self.length = length
        self.field = field

    @property
    def python_type(self) -> type[M]:
        """The type of its values."""
        return self.enum

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """The type on one database."""
        return Text() if dialect.name == "sqlite" else String(self.length)

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:
        """Check a value and give its text."""
        return None if value is None else written(self.enum, value, self.field)

    def process_result_value(self, value: Any, dialect: Dialect) -> M | None:
        """Read a text."""
        return None if value is None else read(self.enum, value, self.field)


class EnumTextArray(RuledType[list[M]], Generic[M]):
    """A list of values of a shared enum: an array on PostgreSQL, a JSON list elsewhere.

    Each value is read and written as EnumText does.

    Args:
        enum: the shared enum.
        length: the most characters of an element, None for any number.
        field: what errors call it, as `Entity.field`.
    """

    impl = postgresql.ARRAY
    cache_ok = True
    hashable = False

    def __init__(self, enum: type[M], length: int | None = None, field: str = "") -> None:
        super().__init__(EnumText(enum, length, field))
        self.enum = enum
        self.length = length
        self.field = field

    @property
    def python_type(self) -> type[list[M]]:
        """The type of its values."""
        return list[self.enum]  # type: ignore[name-defined]

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """The type on one database."""
        return postgresql.ARRAY(String(self.length)) if is_postgresql(dialect) else Text()

    def process_bind_param(self, value: Any, dialect: Dialect) -> Any:
        """Check every element and give what the driver takes."""
        if value is None:
            return None
        if not isinstance(value, list | tuple | set | frozenset):
            problem = ValueError(f"wants a list, not {type(value).__name__} {value!r}")
            raise passed_on(problem, self.field, value)
        texts = [written(self.enum, item, self.field) for item in value]
        return texts if is_postgresql(dialect) else json.dumps(texts)

    def process_result_value(self, value: Any, dialect: Dialect) -> list[M] | None:
        """Read an array, or its JSON."""
        if value is None:
            return None
        try:
            texts = value if is_postgresql(dialect) else json.loads(value)
        except ValueError as error:
            raise unreadable(error, self.field, value) from None
        return [read(self.enum, text, self.field) for text in texts]


def is_postgresql(dialect: Dialect) -> bool:
    """Whether a database has native uuids and arrays."""
    return dialect.name == "postgresql"


def written(enum: type[M], value: Any, field: str) -> str:
    """The text of a value, from a member or from a text in any case."""
    member = enum.ignoring_case(value) if isinstance(value, str) else None
    if member is None:
        try:
            member = enum(value)
        except ValueError as error:
            raise passed_on(error, field, value) from None
    return str(member.value)


def read(enum: type[M], value: Any, field: str) -> M:
    """The member of a text that a row holds, in any case."""
    if isinstance(value, str) and (member := enum.ignoring_case(value)) is not None:
        return member
    valid = ", ".join(one.value for one in enum)
    problem = ValueError(f"{value!r} is not a {enum.__name__} (valid values: {valid})")
    raise unreadable(problem, field, value)


def unreadable(problem: ValueError, field: str, value: Any) -> MappingError:
    """The error about a row that is there already."""
    entity, _, name = field.rpartition(".")
    where = f"{field}: " if field else ""
    return MappingError(
        f"{where}{problem}",
        hint="the row holds what its type cannot",
        entity=entity,
        field=name or None,
        value=value,
    )
