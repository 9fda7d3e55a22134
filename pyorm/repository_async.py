"""Repositories: typed reads and writes of one entity."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from typing import TYPE_CHECKING, Any, Generic, ParamSpec, Protocol, TypeVar, cast

from psycopg import AsyncConnection

from pyorm import operations
from pyorm.contract import Contract, Source
from pyorm.entity import HasFields, Key, RepositoryOf, declaration
from pyorm.operation import Operation
from pyorm.own_sql import Parameters
from pyorm.pages import Page
from pyorm.postgres_async import AsyncPostgresBackend
from pyorm.rows import Make
from pyorm.sources import is_sqlite, source_for

if TYPE_CHECKING:
    import sqlite3

    from psycopg_pool import AsyncConnectionPool

E = TypeVar("E")
P = ParamSpec("P")
T = TypeVar("T")


class Backend(Protocol):
    """What takes a repository's operations to a database."""

    async def run(self, source: Source[Any], operation: Operation[T]) -> T:
        """Do an operation."""
        ...

    def stream(
        self, source: Source[Any], operation: Operation[tuple[Any, Make[T]]]
    ) -> AsyncIterator[T]:
        """Read rows as they are wanted."""
        ...


class AsyncRepository(Generic[E]):
    """Reads and writes the rows of one entity.

    Args:
        entity: the entity's class.
        on: a psycopg connection or pool, or an sqlite3 connection.
        contract: `new` or `old` when it is known which one the database stands under; `auto` to
            find out, and to follow a migration while it runs.
        pause_collector: whether a large result may put Python's garbage collector off in the
            whole process, for the few milliseconds in which 1,000 entities are made, each time.

    A filter gives fields their values: `find(status=ModelStatus.ACTIVE, description=None)`, or a
    condition of pyorm.filters: `find(created_at=at_least(monday))`; `order="-created_at"` and
    `limit=10` stand beside the fields. A key is a value, or a tuple for a key of several fields.

    Raises:
        InvalidValue: from each method, for a value that the field cannot hold; nothing was sent.
        IntegrityViolation: from each method that writes, when the database refuses the value.
    """

    def __init__(
        self,
        entity: type[E],
        on: AsyncConnection[Any] | AsyncConnectionPool[Any] | sqlite3.Connection,
        *,
        contract: Contract = "new",
        pause_collector: bool = True,
    ) -> None:
        self._declared = declaration(entity)
        self._on = on
        self._contract = contract
        self._source = source_for(self._declared, on, contract)
        self._backend: Backend
        if is_sqlite(on):
            from pyorm.sqlite import AsyncSqliteBackend

            self._backend = AsyncSqliteBackend(cast("sqlite3.Connection", on))
        else:
            on = cast("AsyncConnection[Any] | AsyncConnectionPool[Any]", on)
            self._backend = AsyncPostgresBackend(on, pause_collector=pause_collector)

    @property
    def entity(self) -> type[E]:
        """The entity's class."""
        return self._declared.entity

    async def _run(self, operation: Operation[T]) -> T:
        return await self._backend.run(self._source, operation)

    async def get(self, key: Key) -> E:
        """The row of a key.

        Raises:
            NotFound: when there is none.
        """
        return await self._run(operations.get(self._declared, key))

    async def get_many(self, keys: Iterable[Key]) -> list[E]:
        """The rows of several keys, in their order; a key that has none is left out."""
        return await self._run(operations.get_many(self._declared, keys))

    async def find(self: RepositoryOf[HasFields[P]], *_: P.args, **wanted: P.kwargs) -> list[E]:
        """All rows that match the filter, in its order, up to its limit."""
        return await cast(AsyncRepository[E], self)._run(operations.find(wanted))

    async def one(self: RepositoryOf[HasFields[P]], *_: P.args, **wanted: P.kwargs) -> E:
        """The only row that matches the filter.

        Raises:
            NotFound: when none does.
            MultipleFound: when several do.
        """
        repository = cast(AsyncRepository[E], self)
        return await repository._run(operations.one(repository._declared, wanted))

    async def count(self: RepositoryOf[HasFields[P]], *_: P.args, **wanted: P.kwargs) -> int:
        """How many rows match the filter."""
        return await cast(AsyncRepository[E], self)._run(operations.count(wanted))

    async def exists(self: RepositoryOf[HasFields[P]], *_: P.args, **wanted: P.kwargs) -> bool:
        """Whether a row matches the filter."""
        return await cast(AsyncRepository[E], self)._run(operations.exists(wanted))

    async def page(
        self: RepositoryOf[HasFields[P]],
        after: str | None = None,
        /,
        *_: P.args,
        **wanted: P.kwargs,
    ) -> Page[E]:
        """Some rows of the filter, 50 or its limit, and the cursor of those that follow.

        Args:
            after: the cursor of the page before, None for the first page.
            wanted: the filter; it is ordered by fields that are never None.

        Raises:
            InvalidCursor: when the cursor is damaged, or another query's.
        """
        return await cast(AsyncRepository[E], self)._run(operations.page(after, wanted))

    def stream(
        self: RepositoryOf[HasFields[P]], *_: P.args, **wanted: P.kwargs
    ) -> AsyncIterator[E]:
        """The rows of the filter one after the other, kept by the server until they are wanted."""
        repository = cast(AsyncRepository[E], self)
        return repository._backend.stream(repository._source, operations.stream(wanted))

    async def add(self, entity: E) -> E:
        """Add a row; returns it as the database has it.

        Raises:
            UniqueViolation: when there is one with its key, or its value of a unique field.
        """
        return await self._run(operations.add(entity))

    async def add_many(self, entities: Iterable[E]) -> int:
        """Add many rows, all or none, by binary COPY; returns how many.

        Args:
            entities: may be a generator of any length; it is read as the rows are sent.
        """
        return await self._run(operations.add_many(entities))

    async def upsert(
        self, entity: E, *conflict: str, changing: str | Iterable[str] | None = None
    ) -> E:
        """Add a row, or change the one with the same values in the fields of the conflict.

        Args:
            entity: the row; its key and its fixed fields only count when it is added.
            conflict: the fields, over which a unique index stands.
            changing: the fields that a row that is there takes over; fields with on_update and
                the version change too, the others stay. With none the row stays as it is. It can
                only be left out where no other field has a default.
        """
        return await self._run(operations.upsert(self._declared, entity, conflict, changing))

    async def update(
        self: RepositoryOf[HasFields[P]], row: Key | E, /, *_: P.args, **changes: P.kwargs
    ) -> E:
        """Change fields of one row, and no others; returns it.

        Args:
            row: the row's key; or the row as it was read, to change it only if nobody has since,
                which its version tells. Attributes that were set on it are not written.
            changes: the new values; `if_version`, beside a key, is the version that the row must
                still have, as a value or as text.

        Raises:
            NotFound: when no row has the key.
            StaleRow: when the row was changed or deleted since it had the version.
        """
        repository = cast(AsyncRepository[E], self)
        return await repository._run(operations.update(repository._declared, row, changes))

    async def delete(self, key: Key) -> None:
        """Delete a row.

        Raises:
            NotFound: when there is none.
        """
        await self._run(operations.delete(self._declared, key))

    async def query(
        self, text: str, parameters: Parameters = None, *, join: Iterable[type[Any]] = ()
    ) -> list[E]:
        """The rows of a query in SQL of one's own; pyorm.own_sql tells what stands in braces.

        Args:
            text: the SQL, or sql_file(path).
            parameters: by position for `%s`, by name for `%(name)s`.
            join: other entities whose tables it names.
        """
        sources = tuple(
            source_for(declaration(entity), self._on, self._contract) for entity in join
        )
        return await self._run(operations.query(text, parameters, sources))
