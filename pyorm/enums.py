"""The shared enums: each defined once, its value equal to its name, read in any case.

Their members are what the CHECK constraints of the new contract hold; check_constraint prints them.
"""

from __future__ import annotations

import sys
import warnings
from enum import Enum
from functools import cache
from typing import Self

from pyorm.errors import DeclarationError, UnknownEnumValue


class SharedEnum(str, Enum):  # noqa: UP042 - the house standard writes it so
    """The base of every shared enum: `class ModelStatus(SharedEnum): ACTIVE = "ACTIVE"`.

    A member is its own text: it compares, formats, hashes and serialises as `"ACTIVE"`.
    The constructor reads any case, as parse does.
    """

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        for member in cls:
            if not (member.value == member.name == member.name.upper()):
                raise DeclarationError(
                    f"{cls.__name__}.{member.name} has the value {member.value!r}; "
                    f"the value of a shared enum is its name in uppercase",
                    entity=cls.__name__,
                )

    # As in enum.StrEnum: what is formatted into a log line or a URL is the value.
    __str__ = str.__str__
    __format__ = str.__format__  # type: ignore[assignment]

    @classmethod
    def parse(cls, value: str) -> Self:
        """Read a value in any case.

        Args:
            value: a member or its text in any case; where the calling function has the text as
                a literal that is not uppercase, a DeprecationWarning names its line.

        Returns:
            The member.

        Raises:
            UnknownEnumValue: for any other value; it is a ValueError too.
        """
        return cls(value)

    @classmethod
    def _missing_(cls, value: object) -> Self:
        if isinstance(value, str) and (member := cls.ignoring_case(value)) is not None:
            _warn_of_literal(cls, value, member)
            return member
        raise cls._unknown(value)

    @classmethod
    def ignoring_case(cls, value: str) -> Self | None:
        """The member for a value in any case, or None; never a warning."""
        # Only ASCII has one upper case: a dotless i becomes a plain I too.
        found = cls._value2member_map_.get(value.upper()) if value.isascii() else None
        return found if isinstance(found, cls) else None

    @classmethod
    def _unknown(cls, value: object) -> UnknownEnumValue:
        valid = tuple(member.value for member in cls)
        listed = ", ".join(valid)
        if not isinstance(value, str):
            message = (
                f"{cls.__name__} is read from text, not from {type(value).__name__} {value!r}; "
                f"valid values: {listed}"
            )
            return UnknownEnumValue(message, valid=valid, nearest=None, value=value)
        import difflib  # here, because only an error needs it

        near = difflib.get_close_matches(value.upper(), valid, n=1)
        guess = f"; did you mean {near[0]!r}?" if near else ""
        return UnknownEnumValue(
            f"{value!r} is not a {cls.__name__}{guess} (valid values: {listed})",
            valid=valid,
            nearest=near[0] if near else None,
            value=value,
        )


def _warn_of_literal(enum: type[SharedEnum], value: str, member: SharedEnum) -> None:
    """Warn where a developer wrote the value; what a client sends is read in any case."""
    frame = sys._getframe(2)
    level = 3
    while frame.f_back is not None and _is_between(frame.f_globals.get("__name__", "")):
        frame = frame.f_back
        level += 1
    if value in frame.f_code.co_consts:
        warnings.warn(
            f"{enum.__name__} value {value!r} is deprecated, write {member.value!r}",
            DeprecationWarning,
            stacklevel=level,
        )


@cache
def _is_between(module: str) -> bool:
    # pydantic reads for somebody: the line that is to be changed is theirs.
    return module.partition(".")[0] in ("enum", "pyorm", "pydantic")


class ModelStatus(SharedEnum):
    """Whether a model takes requests."""

    ACTIVE = "ACTIVE"
    INACTIVE = "INACTIVE"
    DEPRECATED = "DEPRECATED"


class ModelProvider(SharedEnum):
    """Who serves a model."""

    OPENAI = "OPENAI"
    ANTHROPIC = "ANTHROPIC"
    OLLAMA = "OLLAMA"
    CUSTOM = "CUSTOM"


class ModelCapability(SharedEnum):
    """What a model can do."""

    CHAT = "CHAT"
    COMPLETION = "COMPLETION"
    EMBEDDING = "EMBEDDING"
    IMAGE_GENERATION = "IMAGE_GENERATION"
    AUDIO_TRANSCRIPTION = "AUDIO_TRANSCRIPTION"
    AUDIO_TRANSLATION = "AUDIO_TRANSLATION"


class RequestType(SharedEnum):
    """What a request asks of a model."""

    CHAT = "CHAT"
    COMPLETION = "COMPLETION"
    EMBEDDING = "EMBEDDING"
    IMAGE_GENERATION = "IMAGE_GENERATION"
    AUDIO_TRANSCRIPTION = "AUDIO_TRANSCRIPTION"
    AUDIO_TRANSLATION = "AUDIO_TRANSLATION"


def check_constraint(column: str, enum: type[Enum], *, array: bool = False) -> str:
    """The CHECK that restricts a column to the values of an enum, as SQL.

    Args:
        column: the column as written in SQL, quoted where it must be.
        enum: the shared enum, or another whose values are texts.
        array: whether the column is an array of values.

    Returns:
        The SQL: `CHECK (status IN ('ACTIVE', 'INACTIVE', 'DEPRECATED'))`.
    """
    values = ", ".join("'{}'".format(member.value.replace("'", "''")) for member in enum)
    if array:
        return f"CHECK ({column} <@ ARRAY[{values}]::varchar[])"
    return f"CHECK ({column} IN ({values}))"
