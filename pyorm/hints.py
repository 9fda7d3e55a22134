"""What a type hint says of a column: the type of a value, whether it may be None, its SQL type."""

from __future__ import annotations

import dataclasses
import re
import types
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from functools import cache
from typing import (
    Annotated,
    Any,
    Literal,
    Union,
    get_args,
    get_origin,
    get_type_hints,
    is_typeddict,
)
from uuid import UUID

import psycopg

from pyorm.errors import DeclarationError

METADATA = "pyorm"
"""Where a dataclass field keeps the arguments of column()."""

JSON = ("json", "jsonb")

SQL_TYPES: dict[type, str] = {
    UUID: "uuid",
    str: "varchar",
    int: "integer",
    float: "double precision",
    bool: "boolean",
    datetime: "timestamptz",
    date: "date",
    time: "time",
    timedelta: "interval",
    Decimal: "numeric",
    bytes: "bytea",
    dict: "json",
}

TEXTS = frozenset({"varchar", "text", "bpchar", "name", '"char"'})
HELD: dict[type, frozenset[str]] = {
    UUID: TEXTS | {"uuid"},
    str: TEXTS,
    int: frozenset({"int2", "int4", "int8", "oid"}),
    float: frozenset({"float4", "float8"}),
    bool: frozenset({"bool"}),
    datetime: frozenset({"timestamptz"}),
    date: frozenset({"date"}),
    time: frozenset({"time"}),
    timedelta: frozenset({"interval"}),
    Decimal: frozenset({"numeric"}),
    bytes: frozenset({"bytea"}),
    dict: frozenset(JSON),
}
"""The types of PostgreSQL of which the driver makes values of a type of Python, by its names."""

ALIASES = {
    "int": "int4",
    "decimal": "numeric",
    "dec": "numeric",
    "float": "float8",
    "smallserial": "int2",
    "serial": "int4",
    "bigserial": "int8",
    "char": "bpchar",
}
BUILT_IN = 16_384
"""The first number of a type that is not PostgreSQL's own."""

MODIFIER = re.compile(r"\s*\([^)]*\)")
LENGTH = re.compile(r"(?:varchar|character varying|char|character)\s*\(\s*(\d+)\s*\)", re.I)


def driver_type(sql_type: str) -> psycopg.types.TypeInfo | None:
    """A type of PostgreSQL's own as psycopg knows it.

    Args:
        sql_type: as SQL has it, without `[]`.

    Returns:
        None for a domain, an enum, or a type of an extension.
    """
    bare = MODIFIER.sub("", sql_type).strip().lower()
    known = psycopg.adapters.types.get(ALIASES.get(bare, bare))
    return known if known and known.oid < BUILT_IN else None


def refuse_type(entity: str, field: str, base: type[Any], sql_type: str) -> None:
    """Refuse a column whose values would not be of the field's type.

    Args:
        entity: the entity's name.
        field: the field's.
        base: the type of a value.
        sql_type: the column's type, of an element if it is an array.

    Raises:
        DeclarationError: for a `timestamp`, which has no zone, a `double precision` for a Decimal.
    """
    known = driver_type(sql_type)
    kind: type[Any] = base
    if issubclass(base, Enum):
        kind = type(next(iter(base)).value)
    elif base not in HELD:
        kind = dict
    if known is None or known.name in HELD[kind]:
        return
    hint = f"use {' or '.join(sorted(HELD[kind]))}, or a field of another type"
    if kind is datetime and known.name == "timestamp":
        hint = f"ALTER TABLE ... ALTER {field} TYPE timestamptz USING {field} AT TIME ZONE 'UTC'"
    raise DeclarationError(
        f"{entity}.{field}: a column of type {sql_type} holds no {base.__name__}",
        hint=hint,
        entity=entity,
        field=field,
    )


def annotated(hint: Any) -> tuple[Any, dict[str, Any], bool]:
    """A type, and what a column() in its Annotated says: arguments, and whether it is secret."""
    extra: dict[str, Any] = {}
    secret = False
    members = get_args(hint) if get_origin(hint) in (Union, types.UnionType) else (hint,)
    for member in members:
        if get_origin(member) is Annotated:
            for told in member.__metadata__:
                if isinstance(told, dataclasses.Field):
                    extra |= told.metadata.get(METADATA, {})
                    secret = secret or not told.repr
    return plain(hint), extra, secret


def plain(hint: Any) -> Any:
    """A type without Annotated, and a NewType as the type it is of."""
    if get_origin(hint) is Annotated:
        return plain(hint.__origin__)
    if hasattr(hint, "__supertype__"):
        return plain(hint.__supertype__)
    if get_origin(hint) in (Union, types.UnionType):
        members = tuple(plain(member) for member in get_args(hint))
        return Union[members]  # noqa: UP007 - of a tuple
    if get_origin(hint) is list:
        return list[plain(get_args(hint)[0])]  # type: ignore[misc]
    return hint


def column_type(
    entity: str, field: str, hint: Any, sql_type: str | None
) -> tuple[type[Any], bool, bool]:
    """What a type hint says: the type of a value, whether it may be None, whether it is a list."""
    _refuse_keys(entity, field, hint, set())
    wanted = hint
    nullable = array = False
    if get_origin(hint) in (Union, types.UnionType):
        members = [member for member in get_args(hint) if member is not types.NoneType]
        nullable = len(members) < len(get_args(hint))
        hint = members[0] if len(members) == 1 else hint
    if sql_type in JSON and (get_origin(hint) or hint) is list:
        return list, nullable, False
    if get_origin(hint) is list:
        array = True
        (hint,) = get_args(hint)
    base = dict if is_typeddict(hint) else get_origin(hint) or hint
    if isinstance(base, type) and (
        base in SQL_TYPES or _is_enum(base) or dataclasses.is_dataclass(base)
    ):
        return base, nullable, array
    raise DeclarationError(
        f"{entity}.{field}: {wanted!r} is not the type of a column",
        hint="use UUID, str, int, float, bool, datetime, date, time, timedelta, Decimal, bytes, an "
        "enum of texts or of numbers, dict, a TypedDict or a dataclass (json), a list of one of "
        "them, each with or without None; a list in one json is column(sql_type='jsonb')",
        entity=entity,
        field=field,
    )


def _refuse_keys(entity: str, field: str, hint: Any, seen: set[type[Any]]) -> None:
    """Refuse a dict in json whose keys would not come back as what they were."""
    hint = plain(hint)
    arguments = get_args(hint)
    if get_origin(hint) is dict and not _is_key(arguments[0]):
        raise DeclarationError(
            f"{entity}.{field}: json has no keys of the type in {hint!r}",
            hint="use str, int, float, bool, or an enum that is a str or an int",
            entity=entity,
            field=field,
        )
    if isinstance(hint, type) and dataclasses.is_dataclass(hint) and hint not in seen:
        seen.add(hint)
        try:
            arguments = tuple(argument_hints(hint).values())
        except Exception:  # of a class that is made later: told when a row is read
            return
    elif get_origin(hint) not in (Union, types.UnionType, list, dict, tuple):
        return
    for argument in arguments:
        _refuse_keys(entity, field, argument, seen)


def _is_key(hint: Any) -> bool:
    """Whether a key of JSON, which is text, tells the value of a type."""
    hint = plain(hint)
    if get_origin(hint) is Literal:
        return all(isinstance(value, str) for value in get_args(hint))
    if get_origin(hint) in (Union, types.UnionType):
        return all(isinstance(one, type) and issubclass(one, str) for one in get_args(hint))
    return hint is Any or (isinstance(hint, type) and issubclass(hint, str | int | float))


@cache
def argument_hints(wanted: type[Any]) -> dict[str, Any]:
    """The types of the arguments of a dataclass."""
    hints = get_type_hints(wanted)
    return {field.name: hints[field.name] for field in dataclasses.fields(wanted) if field.init}


def _is_enum(base: type[Any]) -> bool:
    """Whether a type is an enum whose values one column can hold."""
    if not issubclass(base, Enum):
        return False
    kinds = {type(member.value) for member in base}
    return kinds in ({str}, {int})


def usual_sql_type(base: type[Any], length: int | None) -> str:
    """The SQL type of a Python type."""
    """The SQL type of a Python type."""
    if dataclasses.is_dataclass(base):
        return "json"
    if issubclass(base, Enum):
        numbers = all(isinstance(member.value, int) for member in base)
        return "integer" if numbers else f"varchar({length})" if length else "varchar"
    return f"varchar({length})" if base is str and length else SQL_TYPES[base]


def tells(told: Any, wanted: Any) -> bool:
    """Whether a type given to the type checker is the field's."""
    found, members = _members(told), _members(wanted)
    if UUID in members:  # whose text is taken too
        found, members = found | {str}, members | {str}
    return Any in found or found == members


def _members(hint: Any) -> set[Any]:
    bare = plain(hint)
    members = get_args(bare) if get_origin(bare) in (Union, types.UnionType) else (bare,)
    return {dict if member == dict[str, Any] else member for member in members}
