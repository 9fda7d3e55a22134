"""How one column's values are stored: what goes to the driver, and what comes back.

Three ways: PostgreSQL's own types, text on PostgreSQL columns of the old contract, and SQLite.
Each checks a value before it is sent, so that all three refuse the same ones.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, is_dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from functools import partial
from typing import Any
from uuid import UUID

import psycopg
from psycopg.pq import Format
from psycopg.types.json import Json, Jsonb

from pyorm import json_values
from pyorm.entity import DeclaredColumn
from pyorm.enums import SharedEnum
from pyorm.errors import InvalidValue
from pyorm.hints import JSON, driver_type, refuse_type
from pyorm.values import ValueType, to_uuid, value_type

Check = Callable[[Any], Any]
"""Takes a value that is not None; returns what is stored, raises ValueError with the reason."""


# The collations of what SQLite keeps as text and PostgreSQL orders by value.
DECIMAL, ARRAY, DECIMAL_ARRAY = "pyorm_decimal", "pyorm_array", "pyorm_decimal_array"


@dataclass(frozen=True, slots=True)
class Storage:
    """How one column's values are stored.

    Args:
        sql_type: the column's SQL type here, `varchar[]` for an array.
        inline: the type whose lines spare the common value a call of encode; None when none does.
        encode: checks a value and returns what the driver takes; raises InvalidValue.
        element: encodes one element of an array; the same as encode for no array.
        decode: turns what the driver gave into the value: a function, a table of all values,
            or None when it is the value already.
        as_text: whether it is read and compared as text, because the driver has no type for it.
        spellings: all texts that one stored value may stand as, for ids that are text; None where
            a value has one form.
    """

    sql_type: str
    inline: ValueType | None
    encode: Check
    element: Check
    decode: Callable[[Any], Any] | Mapping[Any, Any] | None
    as_text: bool = False
    spellings: Callable[[str], tuple[str, ...]] | None = None

    @property
    def is_array(self) -> bool:
        """Whether it is an array."""
        return self.sql_type.endswith("[]")

    @property
    def is_json(self) -> bool:
        """Whether it is json, which PostgreSQL cannot compare."""
        return self.sql_type in JSON

    def copy_type(self, column: DeclaredColumn) -> str | None:
        """The type's name for a binary COPY, None where psycopg cannot send it.

        What psycopg does not know goes as its text, if that is what is stored.
        """
        known = driver_type(self.sql_type.removesuffix("[]"))
        if known is not None and not self.as_text:
            try:
                psycopg.adapters.get_dumper_by_oid(known.oid, Format.BINARY)
            except psycopg.ProgrammingError:
                pass
            else:
                return f"{known.name}[]" if self.is_array else known.name
        is_text = self.as_text or column.python in (str, UUID) or issubclass(column.python, Enum)
        return "text" if is_text and not self.is_array else None


def postgres(
    entity: str,
    column: DeclaredColumn,
    found: str | None = None,
    *,
    old: bool = False,
    labels: tuple[str, ...] = (),
) -> Storage:
    """A column of a PostgreSQL table.

    Args:
        entity: the entity's name, for errors.
        column: the column.
        found: its type in the catalog without `[]`, None for the declared one.
        old: whether the table stands under the old contract, where enum values are lowercase.
        labels: the labels of a native enum type.
    """
    sql_type = found or column.sql_type.split("(")[0]
    if sql_type in ("character", "char"):
        sql_type = "bpchar"  # as a cast, `character` is that of one character
    if found:
        refuse_type(entity, column.field, column.python, found)
    values = value_type(column, sql_type)
    check = values.check()
    inline = values if values.inline else None
    decode: Any = None
    spellings = None
    if column.python is UUID and sql_type != "uuid":
        inline, check, decode = None, lambda value: str(to_uuid(value)), _uuid_of
        spellings = None if column.array else uuid_spellings
    elif column.enum:
        decode = _members(column)
        if old or labels:
            inline, check = None, _spelled(column.enum, labels)
    elif issubclass(column.python, Enum):
        decode = column.python
    elif column.python is datetime:
        of_type = check
        check = lambda value: _near_utc(of_type(value))  # noqa: E731
    elif sql_type in JSON:
        wrap = Jsonb if sql_type == "jsonb" else Json
        inline, of_type = None, check
        dumps = partial(json_values.dumps, binary=sql_type == "jsonb")
        check = lambda value: wrap(dumps(of_type(value)), _same)  # noqa: E731
        decode = _json_reader(column)
    as_text = bool(labels)
    if column.python is str and driver_type(sql_type) is None:
        # Of a domain psycopg gives text, of an extension's type bytes, of an array neither.
        decode, as_text = (None, True) if column.array else (_text_of, False)
    array = array_text if as_text else list
    storage = _storage(entity, column, sql_type, inline, check, decode, array, as_text)
    return replace(storage, spellings=spellings)


def sqlite(entity: str, column: DeclaredColumn) -> Storage:
    """A column of an SQLite table: everything that SQLite has no type for is text."""
    check = value_type(column).check()
    dumps = partial(json_values.dumps, binary=column.sql_type == "jsonb")
    decode: Any = None
    stored: Check
    match column.python:
        case t if t is UUID:
            stored, decode = str, _uuid_of
        case t if t is datetime:
            stored, decode = utc_text, datetime.fromisoformat
        case t if t is date:
            stored, decode = date.isoformat, date.fromisoformat
        case t if t is Decimal:
            stored, decode = str, Decimal
        case t if t is bool:
            stored, decode = int, bool
        case t if t is time:
            stored, decode = _time_text, time.fromisoformat
        case t if t is timedelta:
            stored, decode = _microseconds, lambda value: timedelta(microseconds=value)
        case t if t is float:
            # SQLite takes NaN for null; as text it is greater than all numbers, as in PostgreSQL.
            stored, decode = lambda value: "NaN" if value != value else value, float
        case _ if column.is_json:
            stored, read = dumps, _json_reader(column)
            decode = lambda text: read(json.loads(text))  # noqa: E731
        case _:
            stored = _same
            if column.enum:
                decode = _members(column)
            elif issubclass(column.python, Enum):
                decode = column.python
    sql_type = "json" if column.is_json else "text"
    check_and_store = lambda value: stored(check(value))  # noqa: E731
    if not column.array:
        plain = _storage(entity, column, sql_type, None, check_and_store, decode, list, False)
        return replace(plain, spellings=uuid_spellings) if column.python is UUID else plain
    listed = _storage(entity, column, "text", None, check_and_store, decode, json.dumps, False)
    each = listed.decode if callable(listed.decode) else _same
    return Storage("text", None, listed.encode, listed.element, lambda text: each(json.loads(text)))


def _storage(
    entity: str,
    column: DeclaredColumn,
    sql_type: str,
    inline: ValueType | None,
    check: Check,
    decode: Any,
    array: Callable[[Any], Any],
    as_text: bool,
) -> Storage:
    element = _encoder(entity, column, check, nullable=column.nullable and not column.array)
    if not column.array:
        return Storage(sql_type, inline, element, element, decode, as_text)

    def encode_all(value: Any) -> Any:
        if not isinstance(value, list | tuple | set | frozenset):
            raise ValueError(f"wants a list, not {type(value).__name__} {value!r}")
        return array([element(item) for item in value])

    encode = _encoder(entity, column, encode_all, nullable=column.nullable)
    return Storage(f"{sql_type}[]", None, encode, element, _each(decode), as_text)


def _encoder(entity: str, column: DeclaredColumn, check: Check, *, nullable: bool) -> Check:
    """Let a check speak of the entity and the field, and know None."""

    def encode(value: Any) -> Any:
        if value is None:
            if nullable:
                return None
            raise InvalidValue(
                f"{entity}.{column.field} takes no None", entity=entity, field=column.field
            )
        try:
            return check(value)
        except ValueError as error:
            if column.secret:
                raise InvalidValue(
                    f"{entity}.{column.field} cannot hold this value, which is a secret",
                    entity=entity,
                    field=column.field,
                ) from None
            if not isinstance(error, InvalidValue):
                raise InvalidValue(
                    f"{entity}.{column.field}: {error}",
                    entity=entity,
                    field=column.field,
                    value=value,
                ) from error
            if error.entity:
                raise
            error.message = f"{entity}.{column.field}: {error.message}"
            error.entity, error.field = entity, column.field
            raise

    return encode


def _each(decode: Any) -> Any:
    """The decoder of an array from the decoder of its elements."""
    if decode is None:
        return _flat

    one = decode.__getitem__ if isinstance(decode, Mapping) else decode

    def decode_all(items: list[Any]) -> list[Any]:
        try:
            return [one(item) for item in items]
        except (ValueError, TypeError, KeyError, AttributeError):
            _flat(items)  # tells more of what an array of PostgreSQL may be besides
            raise

    return decode_all


def _flat(items: list[Any]) -> list[Any]:
    """A list of values, which has no null and no list in it as PostgreSQL's arrays may.

    Raises:
        ValueError: for another one.
    """
    for item in items:
        if item is None:
            raise ValueError("null within a list, whose elements are never None")
        if type(item) is list:
            raise ValueError(f"a list of lists {items!r}")
    return items


def _text_of(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else value


def _uuid_of(text: str) -> UUID:
    """The uuid of a text, which a column of type char pads."""
    return UUID(text.rstrip())


def uuid_spellings(stored: str) -> tuple[str, ...]:
    """The texts that a uuid may stand as in a column of text."""
    digits = stored.replace("-", "")
    return stored, digits, stored.upper(), digits.upper()


def array_text(items: Iterable[str]) -> str:
    """An array as its text, which PostgreSQL reads as an array of the column's own type."""
    quoted = (item.replace("\\", "\\\\").replace('"', '\\"') for item in items)
    return "{" + ",".join(f'"{item}"' for item in quoted) + "}"


class _Members(dict[Any, Any]):
    """All spellings of an enum's values that were met so far, each with its member."""

    def __init__(self, enum: type[SharedEnum], nullable: bool) -> None:
        super().__init__({member.value: member for member in enum})
        self.enum = enum
        if nullable:
            self[None] = None

    def __missing__(self, value: Any) -> SharedEnum:
        member = self.enum.ignoring_case(value) if isinstance(value, str) else None
        if member is None:
            raise ValueError(f"{value!r} is not a {self.enum.__name__}")
        self[value] = member
        return member


def _members(column: DeclaredColumn) -> Mapping[Any, Any]:
    assert column.enum is not None
    return _Members(column.enum, column.nullable and not column.array)


def _spelled(enum: type[SharedEnum], labels: tuple[str, ...]) -> Check:
    """Encode a member as the old contract spells it: its native label, else in lowercase."""
    by_case = {label.upper(): label for label in labels}
    spelled = {member: by_case.get(member.value, member.value.lower()) for member in enum}
    return lambda value: spelled[value if type(value) is enum else enum(value)]


def _json_reader(column: DeclaredColumn) -> Callable[[Any], Any]:
    """Makes a json column's value, of an element if array, of JSON's own types."""
    hint = column.python if column.array or is_dataclass(column.python) else column.hint
    outer = list if column.python is list else dict
    plain = json_values.is_plain(hint)

    def read(value: Any) -> Any:
        if type(value) is not outer:
            raise ValueError(f"wants {outer.__name__}, not {type(value).__name__} {value!r}")
        return value if plain else json_values.build(hint, value)

    return read


def _same(value: Any) -> Any:
    return value


def _time_text(value: time) -> str:
    return value.isoformat(timespec="microseconds")


def _microseconds(value: timedelta) -> int:
    return value // timedelta(microseconds=1)


def _near_utc(value: datetime) -> datetime:
    """A time in a zone that PostgreSQL reads in a text, as psycopg writes an array: up to 15:59."""
    near = abs(value.utcoffset() or timedelta()) < timedelta(hours=16)
    return value if near else value.astimezone(UTC)


def utc_text(value: datetime) -> str:
    """A time as SQLite stores it: in UTC, so that texts sort as times do."""
    return value.astimezone(UTC).isoformat(timespec="microseconds")
