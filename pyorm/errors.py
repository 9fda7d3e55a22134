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
    """A package is not installed that comes with an extra of pyorm."""


class InvalidValue(PyormError, ValueError):
    """A value that cannot be written or searched for; nothing was sent."""


class DataException(InvalidValue):
    """The server refused a value: too long, out of range, not a number."""


class UnknownEnumValue(InvalidValue):
    """A text that is not a value of a shared enum, in any case."""

    def __init__(self, message: str, *, valid: tuple[str, ...], nearest: str | None, value: Any):
        super().__init__(message, value=value)
        self.valid = valid
        self.nearest = nearest


class InvalidCursor(InvalidValue):
    """A page cursor is damaged, or belongs to another query."""


class MappingError(PyormError):
    """The entity cannot hold a row that came back; names the column and the row's key."""


class SchemaMismatch(PyormError):
    """The tables of the database do not match the entities.

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
    """Somebody else changed the row since it was read."""


class ContractChanged(PyormError):
    """The database changed between the old and the new contract during your transaction.

    The transaction wrote nothing. You can safely run all of it again; it then uses the present
    contract.
    """


class IntegrityViolation(PyormError):
    """A constraint of the database refused a write.

    Args:
        constraint: the constraint's name, None when the backend does not tell it.
    """

    def __init__(self, message: str, *, constraint: str | None = None, **about: Any) -> None:
        super().__init__(message, **about)
        self.constraint = constraint


class UniqueViolation(IntegrityViolation):
    """Another row has this value already."""


class ForeignKeyViolation(IntegrityViolation):
    """The referenced row does not exist, or the row is still referenced."""


class CheckViolation(IntegrityViolation):
    """The value violates a CHECK constraint."""


class NotNullViolation(IntegrityViolation):
    """The column does not allow null."""
