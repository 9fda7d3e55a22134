"""What a value must be to stand in a column: each type's conditions, told once.

A condition is a line of Python source about the value `v`, or about the list `vs` of many. The
encoders of an entity have the lines within them, so that a common value costs no call; a value that
fails one is looked at again by `ValueType.check`, which runs the lines one by one and tells which
it was.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from decimal import Decimal
from enum import Enum
from typing import Any
from uuid import UUID

from pyorm.entity import DeclaredColumn

INTEGER = {"smallint": 15, "integer": 31, "bigint": 63}


@dataclass(frozen=True, slots=True)
class Condition:
    """What a value of the right type must fulfil besides.

    Args:
        test: Python source about the value `v`.
        all: the same about the list `vs` of several values, of one type and not empty.
        reason: tells why a value that fails it is refused.
    """

    test: str
    all: str
    reason: Callable[[Any], str]


@dataclass(frozen=True, slots=True)
class ValueType:
    """What the values of a column are.

    Args:
        python: the type of each.
        conditions: what each fulfils besides.
        read: makes a value of the type from others that are meant as one; raises ValueError.
        exact: whether a subclass is another type, as bool is no int.
        stored: source of what the driver takes for the value `v`.
        inline: whether its lines can stand in an entity's encoder.
    """

    python: type[Any]
    conditions: tuple[Condition, ...] = ()
    read: Callable[[Any], Any] | None = None
    exact: bool = False
    stored: str = "v"
    inline: bool = True

    @property
    def is_plain(self) -> bool:
        """Whether each value of the type is right, and stored as it is."""
        return not self.conditions and self.stored == "v"

    @property
    def all(self) -> str:
        """The source of all conditions on several values."""
        return " and ".join(condition.all for condition in self.conditions) or "True"

    @property
    def test(self) -> str:
        """The source of all conditions."""
        return " and ".join(condition.test for condition in self.conditions) or "True"

    def check(self) -> Callable[[Any], Any]:
        """The function that takes a value and returns what is stored.

        It raises ValueError with the reason; it takes no None.
        """
        tests = [(_function(one.test), one.reason) for one in self.conditions]
        stored = _function(self.stored)

        def check(value: Any) -> Any:
            if self.read is not None:
                value = self.read(value)
            of_type = type(value) is self.python if self.exact else isinstance(value, self.python)
            if not of_type:
                name, found = self.python.__name__, type(value).__name__
                raise ValueError(f"wants {name}, not {found} {value!r}")
            for fulfilled, reason in tests:
                if not fulfilled(value):
                    raise ValueError(reason(value))
            return stored(value)

        return check


def _function(source: str) -> Callable[[Any], Any]:
    function: Callable[[Any], Any] = eval(f"lambda v: {source}", dict(NAMES))
    return function


def value_type(column: DeclaredColumn, found: str | None = None) -> ValueType:
    """What the values of a column are, on every backend.

    Args:
        column: the column.
        found: its type in the catalog, None for the declared one.
    """
    python = column.python
    if issubclass(python, Enum):
        return ValueType(python, read=python, stored="v._value_")
    if python is UUID:
        return ValueType(UUID, read=to_uuid)
    if python is str:
        return ValueType(str, _text(column.length))
    if python is int:
        return ValueType(int, (_fits(INTEGER.get(column.sql_type, 63)),), exact=True)
    if python is float and (found or column.sql_type) in ("real", "float4"):
        return ValueType(float, read=_real, exact=True, inline=False)
    if python is float:
        return ValueType(float, read=_float, exact=True)
    if python is Decimal:
        return ValueType(Decimal, (STORABLE,), read=_decimal)
    if python is datetime:
        return ValueType(datetime, (HAS_ZONE, READABLE))
    if python is date:
        return ValueType(date, (NO_TIME,))
    if python is time:
        return ValueType(time, (HAS_NO_ZONE,))
    return ValueType(python, inline=not column.is_json)


def _text(length: int | None) -> tuple[Condition, ...]:
    if length is None:
        return NO_NUL, ENCODABLE
    fits = Condition(
        f"len(v) <= {length}",
        f"max(map(len, vs)) <= {length}",
        lambda v: f"{len(v)} characters are more than {length}: {v!r}",
    )
    return fits, NO_NUL, ENCODABLE


def _fits(bits: int) -> Condition:
    limit = 1 << bits
    return Condition(
        f"{-limit} <= v < {limit}",
        f"{-limit} <= min(vs) and max(vs) < {limit}",
        lambda v: f"{v} needs more than {bits + 1} bits",
    )


def is_encodable(text: str) -> bool:
    """Whether a text has a form in UTF-8, as half of a surrogate pair has not."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def is_storable(number: Decimal) -> bool:
    """Whether PostgreSQL's numeric holds a number, and gives it back."""
    if not number.is_finite():
        return not number.is_snan()
    exponent = number.as_tuple().exponent
    return number.adjusted() < 131_072 and isinstance(exponent, int) and exponent >= -16_383


FIRST = datetime.min.replace(tzinfo=UTC)
LAST = datetime.max.replace(tzinfo=UTC)
NAMES: dict[str, Any] = {
    "datetime": datetime,
    "FIRST": FIRST,
    "LAST": LAST,
    "is_encodable": is_encodable,
    "is_storable": is_storable,
}
"""What the lines of the conditions name."""

NO_NUL = Condition(
    "'\\0' not in v",
    "'\\0' not in ''.join(vs)",
    lambda v: f"PostgreSQL stores no NUL character: {v!r}",
)
ENCODABLE = Condition(
    "(v.isascii() or is_encodable(v))",
    "(''.join(vs).isascii() or all(map(is_encodable, vs)))",
    lambda v: f"half of a surrogate pair is not text: {v!r}",
)
HAS_ZONE = Condition(
    "v.utcoffset() is not None",
    "True",  # without a zone they cannot be compared with FIRST
    lambda v: f"wants a time with its zone, not {v.isoformat()}",
)
HAS_NO_ZONE = Condition(
    "v.tzinfo is None",
    "not any(v.tzinfo for v in vs)",
    lambda v: f"wants a time without a zone, not {v.isoformat()}",
)
READABLE = Condition(
    "(1 < v.year < 9999 or FIRST <= v <= LAST)",
    "FIRST <= min(vs) and max(vs) <= LAST",
    lambda v: f"{v.isoformat()} is not between the years 1 and 9999 in UTC",
)
NO_TIME = Condition(
    "not isinstance(v, datetime)",
    "True",  # they are of one type, which is date
    lambda v: f"wants a date, not a time, whose date depends on the zone: {v.isoformat()}",
)
STORABLE = Condition(
    "is_storable(v)",
    "all(map(is_storable, vs))",
    lambda v: f"PostgreSQL stores no numeric like {v!r:.40}",
)


_UUID = re.compile(r"(?:urn:)?(?:uuid:)?[0-9a-fA-F{}-]+")


def to_uuid(value: Any) -> UUID:
    """Read a uuid from its text, or take one as it is.

    Raises:
        ValueError: for anything else.
    """
    if isinstance(value, UUID):
        return value
    if not isinstance(value, str):
        raise ValueError(f"wants a uuid or its text, not {type(value).__name__} {value!r}")
    try:
        # Python reads digits of any script, underscores and blanks, too: one id in many spellings.
        if _UUID.fullmatch(value):
            return UUID(value)
    except ValueError:
        pass
    raise ValueError(f"{value!r} is not a uuid")


def _float(value: Any) -> Any:
    try:
        return float(value) if type(value) is int else value
    except OverflowError:
        raise ValueError("the number is too large for a float") from None


def _real(value: Any) -> Any:
    """The number that a real holds, so that what was added is found by the same number.

    Too large a one is no infinity and too small a one no zero, as COPY would make of them.
    """
    number = _float(value)
    if type(number) is not float:
        return number
    try:
        (held,) = struct.unpack("<f", struct.pack("<f", number))
    except OverflowError:
        held = 0.0
    if number and not held:
        raise ValueError(f"{number!r} is too large or too small for a real")
    return held


def _decimal(value: Any) -> Any:
    return Decimal(value) if type(value) is int else value
