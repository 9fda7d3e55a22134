"""The rows of SQL of one's own as values of a type of one's own: a dataclass, or a single value."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from functools import cache
from types import NoneType, UnionType
from typing import Any, Generic, TypeVar, Union, get_args, get_origin, get_type_hints, is_typeddict
from uuid import UUID

from pyorm.enums import SharedEnum
from pyorm.errors import DeclarationError, InvalidValue, MappingError
from pyorm.hints import plain
from pyorm.json_values import build
from pyorm.mapping import KEPT_TEXTS
from pyorm.rows import Make
from pyorm.values import to_uuid

R = TypeVar("R")
Read = Callable[[Any], Any]


class Results(Generic[R]):
    """Makes values of one type of the rows of SQL of one's own.

    Args:
        make_of: gives what makes them, for the names of the columns; refuses other columns.
    """

    def __init__(self, make_of: Callable[[tuple[str, ...]], Make[R]]) -> None:
        self._make_of = make_of
        self._known: set[bytes] = set()

    def knows(self, statement: bytes) -> bool:
        """Whether a statement's columns have been seen to be right."""
        return statement in self._known

    def learn(self, statement: bytes, names: tuple[str, ...]) -> None:
        """Take in what a statement would return.

        Raises:
            InvalidValue: when its columns are not right.
        """
        self(names)
        if b"*" in statement.replace(b"(*)", b""):
            return  # what a star stands for changes with the table
        if len(self._known) >= KEPT_TEXTS:
            self._known.clear()
        self._known.add(statement)

    def __call__(self, names: tuple[str, ...]) -> Make[R]:
        """What makes the values of rows with columns of these names.

        Raises:
            InvalidValue: when the columns are not right.
        """
        return self._make_of(names)


def rows_of(row_type: type[R]) -> Results[R]:
    """Makes values of a dataclass; made once for each."""
    of: Any = row_type
    made: Results[R] = _rows_of(of)
    return made


def scalars_of(value_type: type[R]) -> Results[R]:
    """Makes single values; made once for each type."""
    of: Any = value_type
    made: Results[R] = _scalars_of(of)
    return made


@cache
def _rows_of(row_type: Any) -> Results[Any]:
    """Makes values of a dataclass; each column is the field of its name.

    Raises:
        DeclarationError: when it is no dataclass, or has a field that no column can give.
    """
    if not (dataclasses.is_dataclass(row_type) and isinstance(row_type, type)):
        raise DeclarationError(f"{row_type!r} is not a dataclass, which the rows would become")
    cls: type[Any] = row_type
    hints = get_type_hints(cls)
    fields = [field for field in dataclasses.fields(cls) if field.init]
    read = {field.name: reader(hints[field.name]) for field in fields}
    missing = dataclasses.MISSING
    needed = {f.name for f in fields if f.default is missing and f.default_factory is missing}

    def make_of(names: tuple[str, ...]) -> Make[Any]:
        given = set(names)
        if len(given) < len(names) or not needed <= given <= read.keys():
            raise InvalidValue(
                f"the query gives the columns {', '.join(names) or 'of no row'}, "
                f"{cls.__name__} has {', '.join(read)}",
                hint="name each column AS the field it is for",
                entity=cls.__name__,
            )

        def made(row: tuple[Any, ...]) -> Any:
            pairs = zip(names, row, strict=True)
            return cls(**{name: _value(cls, name, read[name], value) for name, value in pairs})

        return lambda rows: [made(row) for row in rows]

    return Results(make_of)


@cache
def _scalars_of(value_type: Any) -> Results[Any]:
    """Makes single values of rows of one column.

    Args:
        value_type: what a value is, as a type hint.
    """
    read = reader(value_type)

    def make_of(names: tuple[str, ...]) -> Make[Any]:
        if len(names) != 1:
            raise InvalidValue(
                f"scalars() are of one column, the query gives {', '.join(names) or 'none'}"
            )
        return lambda rows: [_value(value_type, names[0], read, row[0]) for row in rows]

    return Results(make_of)


def _value(of: Any, name: str, read: Read, value: Any) -> Any:
    try:
        return read(value)
    except (ValueError, TypeError, KeyError, ArithmeticError) as reason:
        told = getattr(of, "__name__", str(of))
        raise MappingError(
            f"{told}.{name}: {reason}",
            hint="give the field the type of the column, or cast in the query",
            entity=told,
            field=name,
            value=value,
        ) from reason


def reader(hint: Any) -> Read:
    """What makes a value of a type of what a driver gives for it.

    Args:
        hint: the type, as a type hint.

    Raises:
        DeclarationError: for a type that no column gives.
    """
    hint = plain(hint)
    if hint in (Any, object):
        return lambda value: value
    if get_origin(hint) in (Union, UnionType):
        members = [member for member in get_args(hint) if member is not NoneType]
        if len(members) == 1 and len(get_args(hint)) == 2:
            read = reader(members[0])
            return lambda value: None if value is None else read(value)
    elif get_origin(hint) is list:
        each = reader(get_args(hint)[0])
        return lambda value: [each(one) for one in _of(list, _parsed(value))]
    elif (get_origin(hint) or hint) is dict or is_typeddict(hint):
        return lambda value: _of(dict, _parsed(value))
    elif isinstance(hint, type) and dataclasses.is_dataclass(hint):
        return lambda value: build(hint, _of(dict, _parsed(value)))
    elif isinstance(hint, type) and issubclass(hint, SharedEnum):
        return lambda value: _member(hint, value)
    elif isinstance(hint, type) and issubclass(hint, Enum):
        return hint
    elif hint in _READS:
        return _READS[hint]
    raise DeclarationError(f"{hint!r} is not the type of a column")


def _of(wanted: type[Any], value: Any) -> Any:
    if type(value) is wanted:
        return value
    raise ValueError(f"wants {wanted.__name__}, not {type(value).__name__} {value!r}")


def _parsed(value: Any) -> Any:
    """JSON as SQLite gives it is text."""
    return json.loads(value) if isinstance(value, str) else value


def _member(enum: type[SharedEnum], value: Any) -> SharedEnum:
    member = enum.ignoring_case(value) if isinstance(value, str) else None
    if member is None:
        raise ValueError(f"{value!r} is not a {enum.__name__}")
    return member


def _int(value: Any) -> int:
    # PostgreSQL's sum of bigints is a numeric.
    if isinstance(value, Decimal) and value == value.to_integral_value():
        return int(value)
    return int(_of(int, value))


def _float(value: Any) -> float:
    return float(value) if isinstance(value, int | Decimal) else float(_of(float, value))


def _decimal(value: Any) -> Decimal:
    # SQLite computes with floats and keeps text.
    if isinstance(value, int | float | str) and not isinstance(value, bool):
        return Decimal(str(value))
    return value if isinstance(value, Decimal) else Decimal(_of(Decimal, value))


def _bool(value: Any) -> bool:
    return bool(value) if value in (0, 1) and isinstance(value, int) else bool(_of(bool, value))


def _timedelta(value: Any) -> Any:
    return timedelta(microseconds=value) if type(value) is int else _of(timedelta, value)


def _moment(kind: Any) -> Read:
    return lambda value: kind.fromisoformat(value) if isinstance(value, str) else _of(kind, value)


_READS: dict[Any, Read] = {
    UUID: to_uuid,
    str: lambda value: _of(str, value),
    bytes: lambda value: _of(bytes, value),
    int: _int,
    float: _float,
    bool: _bool,
    Decimal: _decimal,
    datetime: _moment(datetime),
    date: _moment(date),
    time: _moment(time),
    timedelta: _timedelta,
}
