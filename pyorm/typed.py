# Made from typed_async.py by `make sync`: change that, not this.
"""To the type checker: calls of a repository whose keyword arguments are the fields of its entity.

Each decorator leaves its method as it is. Where the entity has `__fields__`, a wrong field or
type is an error; where it has none, or is not known yet, as in a function over `Repository[T]`,
any field may be given and only the result is typed.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar, cast, overload

from pyorm.bulk import Where
from pyorm.entity import HasFields, Key, RepositoryOf
from pyorm.pages import Page

E = TypeVar("E")
P = ParamSpec("P")
Method = Callable[..., Any]


class Pages(Protocol[E, P]):
    """A call of page()."""

    def __call__(self, after: str | None = None, /, *args: P.args, **wanted: P.kwargs) -> Page[E]:
        """Some rows of the filter."""
        ...


class Lists:
    """A method that gives a list of entities."""

    @overload
    def __get__(
        self, instance: RepositoryOf[HasFields[E, P]], owner: Any = None
    ) -> Callable[P, list[E]]: ...
    @overload
    def __get__(self, instance: RepositoryOf[E], owner: Any = None) -> Callable[..., list[E]]: ...
    def __get__(self, instance: Any, owner: Any = None) -> Any:
        """To the type checker alone."""


class One:
    """A method that gives one entity."""

    @overload
    def __get__(
        self, instance: RepositoryOf[HasFields[E, P]], owner: Any = None
    ) -> Callable[P, E]: ...
    @overload
    def __get__(self, instance: RepositoryOf[E], owner: Any = None) -> Callable[..., E]: ...
    def __get__(self, instance: Any, owner: Any = None) -> Any:
        """To the type checker alone."""


class Counts:
    """A method that gives a number."""

    @overload
    def __get__(
        self, instance: RepositoryOf[HasFields[E, P]], owner: Any = None
    ) -> Callable[P, int]: ...
    @overload
    def __get__(self, instance: RepositoryOf[E], owner: Any = None) -> Callable[..., int]: ...
    def __get__(self, instance: Any, owner: Any = None) -> Any:
        """To the type checker alone."""


class Tells:
    """A method that gives a truth."""

    @overload
    def __get__(
        self, instance: RepositoryOf[HasFields[E, P]], owner: Any = None
    ) -> Callable[P, bool]: ...
    @overload
    def __get__(self, instance: RepositoryOf[E], owner: Any = None) -> Callable[..., bool]: ...
    def __get__(self, instance: Any, owner: Any = None) -> Any:
        """To the type checker alone."""


class Paging:
    """The method page()."""

    @overload
    def __get__(
        self, instance: RepositoryOf[HasFields[E, P]], owner: Any = None
    ) -> Pages[E, P]: ...
    @overload
    def __get__(self, instance: RepositoryOf[E], owner: Any = None) -> Pages[E, ...]: ...
    def __get__(self, instance: Any, owner: Any = None) -> Any:
        """To the type checker alone."""


class Streams:
    """A method that gives entities one after the other."""

    @overload
    def __get__(
        self, instance: RepositoryOf[HasFields[E, P]], owner: Any = None
    ) -> Callable[P, Generator[E]]: ...
    @overload
    def __get__(
        self, instance: RepositoryOf[E], owner: Any = None
    ) -> Callable[..., Generator[E]]: ...
    def __get__(self, instance: Any, owner: Any = None) -> Any:
        """To the type checker alone."""


class Updates:
    """The method update()."""

    @overload
    def __get__(
        self, instance: RepositoryOf[HasFields[E, P]], owner: Any = None
    ) -> Callable[Concatenate[Key | E, P], E]: ...
    @overload
    def __get__(self, instance: RepositoryOf[E], owner: Any = None) -> Callable[..., E]: ...
    def __get__(self, instance: Any, owner: Any = None) -> Any:
        """To the type checker alone."""


class Wheres:
    """The method where()."""

    @overload
    def __get__(
        self, instance: RepositoryOf[HasFields[E, P]], owner: Any = None
    ) -> Callable[P, Where[E]]: ...
    @overload
    def __get__(self, instance: RepositoryOf[E], owner: Any = None) -> Callable[..., Where[E]]: ...
    def __get__(self, instance: Any, owner: Any = None) -> Any:
        """To the type checker alone."""


class UpdatesWhere:
    """The method update_where()."""

    @overload
    def __get__(
        self, instance: RepositoryOf[HasFields[E, P]], owner: Any = None
    ) -> Callable[Concatenate[Where[E], P], int]: ...
    @overload
    def __get__(self, instance: RepositoryOf[E], owner: Any = None) -> Callable[..., int]: ...
    def __get__(self, instance: Any, owner: Any = None) -> Any:
        """To the type checker alone."""


def lists(method: Method) -> Lists:
    """Type find()."""
    return cast(Lists, method)


def gives_one(method: Method) -> One:
    """Type one()."""
    return cast(One, method)


def counts(method: Method) -> Counts:
    """Type count() and delete_where()."""
    return cast(Counts, method)


def tells(method: Method) -> Tells:
    """Type exists()."""
    return cast(Tells, method)


def pages(method: Method) -> Paging:
    """Type page()."""
    return cast(Paging, method)


def streams(method: Method) -> Streams:
    """Type stream()."""
    return cast(Streams, method)


def updates(method: Method) -> Updates:
    """Type update()."""
    return cast(Updates, method)


def wheres(method: Method) -> Wheres:
    """Type where()."""
    return cast(Wheres, method)


def updates_where(method: Method) -> UpdatesWhere:
    """Type update_where()."""
    return cast(UpdatesWhere, method)
