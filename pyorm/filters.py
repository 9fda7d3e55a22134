"""What a filter can ask of a field besides being equal to a value.

    repo.find(status=one_of(ModelStatus.ACTIVE, ModelStatus.INACTIVE), created_at=at_least(monday))

Each function says to the type checker that it returns what the field holds, so that a filter of
another type is a type error; what it does return is a Match.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Match:
    """A condition on one field.

    Args:
        operator: one of EQUAL, NOT, ONE_OF, AT_LEAST, ABOVE, AT_MOST, BELOW, BETWEEN, CONTAINS.
        values: what the field is compared with; ONE_OF and CONTAINS take any number, BETWEEN two.
    """

    operator: str
    values: tuple[Any, ...]


EQUAL, NOT, ONE_OF = "equal", "not", "one_of"
AT_LEAST, ABOVE, AT_MOST, BELOW = "at_least", "above", "at_most", "below"
BETWEEN, CONTAINS = "between", "contains"


def one_of(*values: T) -> T:
    """The field is one of the values; without any, no row matches."""
    return Match(ONE_OF, values)  # type: ignore[return-value]


def not_(value: T) -> T:
    """The field differs from the value; `not_(None)` is: it has one."""
    return Match(NOT, (value,))  # type: ignore[return-value]


def at_least(value: T) -> T:
    """The field is the value or more."""
    return Match(AT_LEAST, (value,))  # type: ignore[return-value]


def above(value: T) -> T:
    """The field is more than the value."""
    return Match(ABOVE, (value,))  # type: ignore[return-value]


def at_most(value: T) -> T:
    """The field is the value or less."""
    return Match(AT_MOST, (value,))  # type: ignore[return-value]


def below(value: T) -> T:
    """The field is less than the value."""
    return Match(BELOW, (value,))  # type: ignore[return-value]


def between(first: T, last: T) -> T:
    """The field is in the range, both ends included."""
    return Match(BETWEEN, (first, last))  # type: ignore[return-value]


def contains(*values: T) -> list[T]:
    """The field is a list that holds each of the values."""
    return Match(CONTAINS, values)  # type: ignore[return-value]
