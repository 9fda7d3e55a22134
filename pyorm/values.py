"""What a value must be to stand in a column: each type's conditions, told once.

A condition is a line of Python source about the value `v`. The encoder of an entity has the lines
within it, so that a common value costs no call; a value that fails one is looked at again by
`ValueType.check`, which runs the same lines one by one and tells which it was.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, time
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
        reason: tells why a value that fails it is refused.
    """

    test: str
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
    function: Callable[[Any], Any] = eval(f"lambda v: {source}", {})
    return function


def value_type(column: DeclaredColumn) -> ValueType:
    """What the values of a column are, on every backend."""
    python = column.python
    if issubclass(python, Enum):
        return ValueType(python, read=python, stored="v._value_")
    if python is UUID:
        return ValueType(UUID, read=to_uuid)
    if python is str:
        return ValueType(str, _text(column.length))
    if python is int:
        return ValueType(int, (_fits(INTEGER.get(column.sql_type, 63)),), exact=True)
    if python is float:
        return ValueType(float, read=_float, exact=True)
    if python is Decimal:
        return ValueType(Decimal, read=_decimal)
    if python is datetime:
        return ValueType(datetime, (HAS_ZONE,))
    if python is date:
        return ValueType(date, exact=True)  # a datetime is one, and would lose its time
    if python is time:
        return ValueType(time, (HAS_NO_ZONE,))
    return ValueType(python, inline=not column.is_json)


def _text(length: int | None) -> tuple[Condition, ...]:
    if length is None:
        return (NO_NUL,)
    fits = Condition(
        f"len(v) <= {length}", lambda v: f"{len(v)} characters are more than {length}: {v!r}"
    )
    return fits, NO_NUL


def _fits(bits: int) -> Condition:
    limit = 1 << bits
    return Condition(f"{-limit} <= v < {limit}", lambda v: f"{v} needs more than {bits + 1} bits")


NO_NUL = Condition("'\\0' not in v", lambda v: f"PostgreSQL stores no NUL character: {v!r}")
HAS_ZONE = Condition(
    "v.utcoffset() is not None", lambda v: f"wants a time with its zone, not {v.isoformat()}"
)
HAS_NO_ZONE = Condition(
    "v.tzinfo is None", lambda v: f"wants a time without a zone, not {v.isoformat()}"
)


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
        return UUID(value)
    except ValueError:
        raise ValueError(f"{value!r} is no uuid") from None


def _float(value: Any) -> Any:
    return float(value) if type(value) is int else value


def _decimal(value: Any) -> Any:
    return Decimal(value) if type(value) is int else value
