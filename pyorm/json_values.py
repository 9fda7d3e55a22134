"""JSON columns: a dict as it is, or a dataclass of one's own, to JSON's types and back."""

from __future__ import annotations

import dataclasses
import json
import re
import types
from collections.abc import Callable
from datetime import date, datetime, time
from decimal import Decimal, InvalidOperation
from enum import Enum
from json import encoder
from typing import Annotated, Any, NewType, Union, get_args, get_origin, is_typeddict
from uuid import UUID

from pyorm.hints import argument_hints, plain
from pyorm.values import is_encodable


def dumps(value: Any, *, binary: bool = False) -> str:
    """Write a value as JSON text.

    Args:
        value: a dict or a dataclass.
        binary: whether it is for jsonb, which stores no NUL character.

    Raises:
        ValueError: when it holds what JSON cannot.
    """
    try:
        text = _encode(value)
    except TypeError as error:
        raise ValueError(str(error)) from error
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    if not text.isascii() and not is_encodable(text):
        raise ValueError("half of a surrogate pair is not text")
    if binary and _NUL.search(text):
        raise ValueError("jsonb stores no NUL character")
    return text


# An escaped NUL, not an escaped backslash before a u0000.
_NUL = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        names = [field.name for field in dataclasses.fields(value)]
        return {name: getattr(value, name) for name in names}
    if isinstance(value, UUID | Decimal):
        return str(value)
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} {value!r} has no JSON form")


def _make_encode() -> Callable[[Any], str]:
    """json's own encoder in C, made once: JSONEncoder makes one for each value.

    It looks for no circle; what refers to itself is nested too deeply.
    """
    in_c = getattr(encoder, "c_make_encoder", None)
    if in_c is None:
        return json.JSONEncoder(default=_plain, allow_nan=False, ensure_ascii=False).encode
    text = encoder.encode_basestring
    parts = in_c(None, _plain, text, None, ": ", ", ", False, False, False)
    return lambda value: "".join(parts(value, 0))


_encode = _make_encode()


def build(wanted: Any, value: Any) -> Any:
    """Make a value of a type from what JSON gave.

    Args:
        wanted: the type, as a type hint.
        value: JSON's own types.

    Raises:
        ValueError, TypeError: when the value is not of that type.
    """
    origin, arguments = get_origin(wanted), get_args(wanted)
    if origin in (Union, types.UnionType):
        if value is None and types.NoneType in arguments:
            return None
        members = [member for member in arguments if member is not types.NoneType]
        return build(members[0], value) if len(members) == 1 else value
    if origin is list:
        return [build(arguments[0], item) for item in value]
    if origin is dict:
        named, of = plain(arguments[0]), arguments[1]
        return {_key(named, key): build(of, item) for key, item in value.items()}
    if origin is tuple:
        each = arguments[:1] * len(value) if arguments[1:] == (...,) else arguments
        return tuple(build(one, item) for one, item in zip(each, value, strict=True))
    if dataclasses.is_dataclass(wanted) and isinstance(wanted, type):
        # A key that is not known here was written by a newer release.
        hints = argument_hints(wanted)
        return wanted(**{name: build(hints[name], value[name]) for name in hints.keys() & value})
    if wanted in (datetime, date, time):
        return wanted.fromisoformat(value)
    if wanted is Decimal:
        try:
            return Decimal(repr(value) if isinstance(value, float) else value)
        except InvalidOperation:
            raise ValueError(f"{value!r} is no number") from None
    if wanted is UUID or (isinstance(wanted, type) and issubclass(wanted, Enum)):
        return wanted(value)
    if origin is Annotated or isinstance(wanted, NewType):
        return build(plain(wanted), value)
    return value


def _key(wanted: Any, key: str) -> Any:
    """A key, which JSON has as text whatever it was."""
    if wanted is bool:
        if key not in ("true", "false"):
            raise ValueError(f"{key!r} is neither true nor false")
        return key == "true"
    for number in (int, float):
        if isinstance(wanted, type) and issubclass(wanted, number):
            return build(wanted, number(key))
    return build(wanted, key)


def is_plain(wanted: Any) -> bool:
    """Whether JSON's own types are the values of a type, so that nothing is to be built."""
    if get_origin(wanted) is dict and get_args(wanted)[0] not in (str, Any):
        return False
    if get_origin(wanted) in (Union, types.UnionType, list, dict):
        return all(map(is_plain, get_args(wanted)))
    return wanted in (str, int, float, bool, dict, list, Any, types.NoneType) or is_typeddict(
        wanted
    )
