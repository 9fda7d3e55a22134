"""Every error that pyorm raises on purpose: one hierarchy, each naming its entity, field and value.

What a server refuses for another reason (a lost connection, a missing privilege) is passed on
as the driver's own error.
"""
# ruff: noqa: N818 - the names are those that PostgreSQL gives these errors

from __future__ import annotations

from typing import Any


class PyormError(Exception):
    """The root of all errors of pyorm.

    Args:
        message: what was expected and what was found.
        hint: the next step, empty when there is none.
        entity: the name of the entity, empty when the error is about none.
        field: the field's name, None when it is not known.
        value: the value in question.
    """

    def __init__(
        self,
        message: str,
        *,
        hint: str = "",
        entity: str = "",
        field: str | None = None,
        value: Any = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.entity = entity
        self.field = field
        self.value = value

    def __str__(self) -> str:
        return f"{self.message}\nhint: {self.hint}" if self.hint else self.message

    def __reduce__(self) -> tuple[Any, ...]:
        # Exception's own calls the class with the message alone, which not each of these takes.
        return _again, (type(self), self.args), self.__dict__


def _again(kind: type[PyormError], arguments: tuple[Any, ...]) -> PyormError:
    return kind.__new__(kind, *arguments)


class LiteralWarning(UserWarning):
    """A literal in SQL of one's own is a value of an enum that the table stores otherwise."""


class DeclarationError(PyormError):
    """An entity or a shared enum is declared in a way that cannot work."""


class NotInstalled(PyormError, ImportError):
    """A package that an extra of pyorm brings is not there."""


class InvalidValue(PyormError, ValueError):
    """A value that cannot be written or asked for; nothing was written."""


class DataException(InvalidValue):
    """A value that the server refused: too long, out of range, no number of its own."""


class UnknownEnumValue(InvalidValue):
    """A text that is no value of a shared enum, in any case."""

    def __init__(self, message: str, *, valid: tuple[str, ...], nearest: str | None, value: Any):
        super().__init__(message, value=value)
        self.valid = valid
        self.nearest = nearest


class InvalidCursor(InvalidValue):
    """A page cursor that is damaged, or that belongs to another query."""


class MappingError(PyormError):
    """A row came back that the entity cannot hold; names the column and the row's key."""


class SchemaMismatch(PyormError):
    """The database's tables are not what the entities say.

    Args:
        differences: each one.
    """

    def __init__(self, differences: tuple[str, ...]) -> None:
        super().__init__("the database and the entities differ:\n  " + "\n  ".join(differences))
        self.differences = differences


class NotFound(PyormError, LookupError):
    """No row has this key, or matches this filter."""


class MultipleFound(PyormError, LookupError):
    """Several rows match where exactly one was asked for."""


class StaleRow(PyormError):
    """The row was changed by someone else since it was read."""


class ContractChanged(PyormError):
    """The database moved between the old and the new contract within the caller's transaction.

    The transaction wrote nothing; running it again as a whole is safe and uses the contract
    that now stands.
    """


class IntegrityViolation(PyormError):
    """The database refused a write to keep its data right.

    Args:
        constraint: the constraint's name, None when the backend does not tell it.
    """

    def __init__(self, message: str, *, constraint: str | None = None, **about: Any) -> None:
        super().__init__(message, **about)
        self.constraint = constraint


class UniqueViolation(IntegrityViolation):
    """Another row has this value already."""


class ForeignKeyViolation(IntegrityViolation):
    """The row that is referred to does not exist, or is still referred to."""


class CheckViolation(IntegrityViolation):
    """The value breaks a CHECK constraint."""


class NotNullViolation(IntegrityViolation):
    """The column takes no null."""
