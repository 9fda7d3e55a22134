"""To the type checker: calls of a repository whose keyword arguments are the fields of its entity.

Each decorator leaves its method as it is. Where the entity has `__fields__`, a wrong field or
type is an error; where it has none, or is not known yet, as in a function over `Repository[T]`,
any field may be given and only the result is typed.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Coroutine
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar, cast, overload

from pyorm.bulk import Where
from pyorm.entity import HasFields, Key, RepositoryOf
from pyorm.pages import Page

E = TypeVar("E")
P = ParamSpec("P")
Method = Callable[..., Any]


class AsyncPages(Protocol[E, P]):
    """A call of page()."""

    def __call__(
        self, after: str | None = None, /, *args: P.args, **wanted: P.kwargs
    ) -> Coroutine[Any, Any, Page[E]]:
        """Some rows of the filter."""
        ...


class AsyncLists:
    """A method that gives a list of entities."""

    @overload
    def __get__(
        self, instance: RepositoryOf[HasFields[E, P]], owner: Any = None
    ) -> Callable[P, Coroutine[Any, Any, list[E]]]: ...
    @overload
    def __get__(
        self, instance: RepositoryOf[E], owner: Any = None
    ) -> Callable[..., Coroutine[Any, Any, list[E]]]: ...
    def __get__(self, instance: Any, owner: Any = None) -> Any:
        """To the type checker alone."""


class AsyncOne:
    """A method that gives one entity."""

    @overload
    def __get__(
        self, instance: RepositoryOf[HasFields[E, P]], owner: Any = None
    ) -> Callable[P, Coroutine[Any, Any, E]]: ...
    @overload
    def __get__(
        self, instance: RepositoryOf[E], owner: Any = None
    ) -> Callable[..., Coroutine[Any, Any, E]]: ...
    def __get__(self, instance: Any, owner: Any = None) -> Any:
        """To the type checker alone."""


class AsyncCounts:
    """A method that gives a number."""

    @overload
    def __get__(
        self, instance: RepositoryOf[HasFields[E, P]], owner: Any = None
    ) -> Callable[P, Coroutine[Any, Any, int]]: ...
    @overload
    def __get__(
        self, instance: RepositoryOf[E], owner: Any = None
    ) -> Callable[..., Coroutine[Any, Any, int]]: ...
    def __get__(self, instance: Any, owner: Any = None) -> Any:
        """To the type checker alone."""


class AsyncTells:
    """A method that gives a truth."""

    @overload
    def __get__(
        self, instance: RepositoryOf[HasFields[E, P]], owner: Any = None
    ) -> Callable[P, Coroutine[Any, Any, bool]]: ...
    @overload
    def __get__(
        self, instance: RepositoryOf[E], owner: Any = None
    ) -> Callable[..., Coroutine[Any, Any, bool]]: ...
    def __get__(self, instance: Any, owner: Any = None) -> Any:
        """To the type checker alone."""


class AsyncPaging:
    """The method page()."""

    @overload
    def __get__(
        self, instance: RepositoryOf[HasFields[E, P]], owner: Any = None
    ) -> AsyncPages[E, P]: ...
    @overload
    def __get__(self, instance: RepositoryOf[E], owner: Any = None) -> AsyncPages[E, ...]: ...
    def __get__(self, instance: Any, owner: Any = None) -> Any:
        """To the type checker alone."""


class AsyncStreams:
    """A method that gives entities one after the other."""

    @overload
    def __get__(
        self, instance: RepositoryOf[HasFields[E, P]], owner: Any = None
    ) -> Callable[P, AsyncGenerator[E]]: ...
    @overload
    def __get__(
        self, instance: RepositoryOf[E], owner: Any = None
    ) -> Callable[..., AsyncGenerator[E]]: ...
    def __get__(self, instance: Any, owner: Any = None) -> Any:
        """To the type checker alone."""


class AsyncUpdates:
    """The method update()."""

    @overload
    def __get__(
        self, instance: RepositoryOf[HasFields[E, P]], owner: Any = None
    ) -> Callable[Concatenate[Key | E, P], Coroutine[Any, Any, E]]: ...
    @overload
    def __get__(
        self, instance: RepositoryOf[E], owner: Any = None
    ) -> Callable[..., Coroutine[Any, Any, E]]: ...
    def __get__(self, instance: Any, owner: Any = None) -> Any:
        """To the type checker alone."""


class AsyncWheres:
    """The method where()."""

    @overload
    def __get__(
        self, instance: RepositoryOf[HasFields[E, P]], owner: Any = None
    ) -> Callable[P, Where[E]]: ...
    @overload
    def __get__(self, instance: RepositoryOf[E], owner: Any = None) -> Callable[..., Where[E]]: ...
    def __get__(self, instance: Any, owner: Any = None) -> Any:
        """To the type checker alone."""


class AsyncUpdatesWhere:
    """The method update_where()."""

    @overload
    def __get__(
        self, instance: RepositoryOf[HasFields[E, P]], owner: Any = None
    ) -> Callable[Concatenate[Where[E], P], Coroutine[Any, Any, int]]: ...
    @overload
    def __get__(
        self, instance: RepositoryOf[E], owner: Any = None
    ) -> Callable[..., Coroutine[Any, Any, int]]: ...
    def __get__(self, instance: Any, owner: Any = None) -> Any:
        """To the type checker alone."""


def lists(method: Method) -> AsyncLists:
    """Type find()."""
    return cast(AsyncLists, method)


def gives_one(method: Method) -> AsyncOne:
    """Type one()."""
    return cast(AsyncOne, method)


def counts(method: Method) -> AsyncCounts:
    """Type count() and delete_where()."""
    return cast(AsyncCounts, method)


def tells(method: Method) -> AsyncTells:
    """Type exists()."""
    return cast(AsyncTells, method)


def pages(method: Method) -> AsyncPaging:
    """Type page()."""
    return cast(AsyncPaging, method)


def streams(method: Method) -> AsyncStreams:
    """Type stream()."""
    return cast(AsyncStreams, method)


def updates(method: Method) -> AsyncUpdates:
    """Type update()."""
    return cast(AsyncUpdates, method)


def wheres(method: Method) -> AsyncWheres:
    """Type where()."""
    return cast(AsyncWheres, method)


def updates_where(method: Method) -> AsyncUpdatesWhere:
    """Type update_where()."""
    return cast(AsyncUpdatesWhere, method)
