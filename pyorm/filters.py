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
        operator: one of the names below.
        values: what the field is compared with: any number for ONE_OF, CONTAINS and ANY_OF, two
            for BETWEEN, none for ANYTHING; those of NOT and ANY_OF may be conditions themselves.
    """

    operator: str
    values: tuple[Any, ...]


EQUAL, NOT, ONE_OF = "equal", "not", "one_of"
AT_LEAST, ABOVE, AT_MOST, BELOW = "at_least", "above", "at_most", "below"
BETWEEN, CONTAINS = "between", "contains"
LIKE, ILIKE = "like", "ilike"
ANY_OF, ANYTHING = "any_of", "given"


def given(value: T | None) -> T:
    """The field equals the value or fulfils the condition; with None it may be anything.

    For the optional filters of a list: `find(status=given(status), name=given(name))`.
    """
    return Match(ANYTHING, ()) if value is None else value  # type: ignore[return-value]


def any_of(*values: T) -> T:
    """The field fulfils one of several conditions; a value means equality, None means null."""
    return Match(ANY_OF, values)  # type: ignore[return-value]


def one_of(*values: T) -> T:
    """The field is one of the values; without values, no row matches."""
    return Match(ONE_OF, values)  # type: ignore[return-value]


def not_(value: T) -> T:
    """The field differs from the value or does not fulfil the condition; null always differs.

    `not_(None)` means that the field has a value.
    """
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
    """The field is a list that contains all of the values."""
    return Match(CONTAINS, values)  # type: ignore[return-value]


def like(pattern: str) -> str:
    """The field's text is like the pattern: `%` is any text, `_` one character, `\\%` a percent."""
    return Match(LIKE, (pattern,))  # type: ignore[return-value]


def ilike(pattern: str) -> str:
    """As like, in any case."""
    return Match(ILIKE, (pattern,))  # type: ignore[return-value]
