"""pyorm's errors as they pass through SQLAlchemy, which wraps all that do not ask it not to."""

from __future__ import annotations

from sqlalchemy.exc import DontWrapMixin

from pyorm import errors


class InvalidValue(errors.InvalidValue, DontWrapMixin):
    """A value that cannot be written or asked for; nothing was sent to the server."""


class UnknownEnumValue(errors.UnknownEnumValue, DontWrapMixin):
    """A text that is no value of a shared enum, in any case."""


def passed_on(error: ValueError, field: str, value: object) -> errors.InvalidValue:
    """The error that leaves SQLAlchemy as pyorm's own.

    Args:
        error: what pyorm's rule raised.
        field: the field as `Entity.field`, empty when it is not known.
        value: the value that was refused.
    """
    entity, _, name = field.rpartition(".")
    message, hint = str(error), ""
    if isinstance(error, errors.PyormError):
        message, hint = error.message, error.hint
    if field and not message.startswith(f"{field}: "):
        message = f"{field}: {message}"
    passed: errors.InvalidValue
    if isinstance(error, errors.UnknownEnumValue):
        passed = UnknownEnumValue(message, valid=error.valid, nearest=error.nearest, value=value)
    else:
        passed = InvalidValue(message, value=value)
    passed.entity, passed.field, passed.hint = entity, name or None, hint
    return passed
