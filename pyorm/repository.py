# Made from repository_async.py by `make sync`: change that, not this.
"""Repositories: typed reads and writes of one entity."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar, cast

from psycopg import Connection

from pyorm import bulk, operations
from pyorm.bulk import Where
from pyorm.contract import Contract, Source
from pyorm.entity import Key, Lock, declaration
from pyorm.observe import OnQuery
from pyorm.operation import Operation
from pyorm.own_sql import Parameters
from pyorm.pages import Page
from pyorm.postgres import PostgresBackend
from pyorm.results import rows_of, scalars_of
from pyorm.rows import Make
from pyorm.sources import check_place, is_sqlite, signing_key, source_for
from pyorm.typed import (
    counts,
    gives_one,
    lists,
    pages,
    streams,
    tells,
    updates,
    updates_where,
    wheres,
)

if TYPE_CHECKING:
    import sqlite3

    from psycopg_pool import ConnectionPool

E = TypeVar("E")
T = TypeVar("T")


class Backend(Protocol):
    """What takes a repository's operations to a database."""

    def run(self, source: Source[Any], operation: Operation[T]) -> T:
        """Do an operation."""
        ...

    def stream(self, source: Source[Any], operation: Operation[tuple[Any, Make[T]]]) -> Iterator[T]:
        """Read rows as they are wanted."""
        ...


class Repository(Generic[E]):
    """Reads and writes the rows of one entity.

    Args:
        entity: the entity's class.
        on: a psycopg connection or pool, or an sqlite3 connection.
        contract: `new` or `old` if you know which one the database follows; `auto` to find out, and
            to follow a migration while it runs.
        pause_collector: whether a large result may put Python's garbage collector off in the
            whole process, for the few milliseconds in which 1,600 entities are made, each time.
        cursor_key: signs the cursors of pages, which clients send back. By default PYORM_CURSOR_KEY
            of the environment, or the password of the database.
        on_query: called after each statement with a Query: what was sent and how long it took.

    A filter assigns values to fields: `find(status=ModelStatus.ACTIVE, description=None)`, or a
    condition of pyorm.filters: `find(created_at=at_least(monday))`; `order="-created_at"` and
    `limit=10` go next to the fields. A key is a value, or a tuple for a key of several fields.

    Raises:
        InvalidValue: from each method, for a value that the field cannot hold; nothing was sent.
        IntegrityViolation: from each method that writes, when the database refuses the value.
    """

    def __init__(
        self,
        entity: type[E],
        on: Connection[Any] | ConnectionPool[Any] | sqlite3.Connection,
        *,
        contract: Contract = "new",
        pause_collector: bool = True,
        cursor_key: str | bytes | None = None,
        on_query: OnQuery | None = None,
    ) -> None:
        self._declared = declaration(entity)
        check_place(on, Connection)
        self._cursor_key = cursor_key
        self._on = on
        self._contract = contract
        self._source = source_for(self._declared, on, contract)
        self._backend: Backend
        if is_sqlite(on):
            from pyorm.sqlite import SqliteBackend

            self._backend = SqliteBackend(cast("sqlite3.Connection", on), on_query=on_query)
        else:
            on = cast("Connection[Any] | ConnectionPool[Any]", on)
            self._backend = PostgresBackend(on, pause_collector=pause_collector, on_query=on_query)

    @property
    def entity(self) -> type[E]:
        """The entity's class."""
        return self._declared.entity

    # A coroutine of its own would be one more that each wait goes through.
    def _run(self, operation: Operation[T]) -> T:
        return self._backend.run(self._source, operation)

    # As _run(): the most frequent of all calls.
    def get(self, key: Key, *, lock: Lock | None = None) -> E:
        """The row with a key.

        Args:
            key: a value, or a tuple for a key of several fields.
            lock: how to lock the row until the end of the transaction: "update",
                "update nowait", "update skip locked", "share" and so on; find() and one() take it
                too.

        Raises:
            NotFound: if there is none, or with "skip locked" if it is locked.
        """
        return self._run(operations.Get(self._declared, key, lock))

    def get_many(self, keys: Iterable[Key]) -> list[E]:
        """The rows with several keys, in the order of the keys; missing ones are left out."""
        return self._run(operations.get_many(self._declared, keys))

    @lists
    def find(self, /, **wanted: Any) -> list[E]:
        """All rows that match the filter, in its order, up to its limit."""
        return self._run(operations.find(wanted))

    @gives_one
    def one(self, /, **wanted: Any) -> E:
        """The only row that matches the filter.

        Raises:
            NotFound: if none does.
            MultipleFound: if several do.
        """
        return self._run(operations.one(self._declared, wanted))

    @counts
    def count(self, /, **wanted: Any) -> int:
        """How many rows match the filter."""
        return self._run(operations.count(wanted))

    @tells
    def exists(self, /, **wanted: Any) -> bool:
        """Whether a row matches the filter."""
        return self._run(operations.exists(wanted))

    @pages
    def page(self, after: str | None = None, /, **wanted: Any) -> Page[E]:
        """A page of the rows that match, 50 or `limit`, and the cursor of the next page.

        Args:
            after: the cursor that the previous page returned, None for the first page.
            wanted: the filter; order it by fields that are never None.

        Raises:
            InvalidCursor: if the cursor is damaged or belongs to another query.
        """
        key = signing_key(self._cursor_key, self._on)
        return self._run(operations.page(after, wanted, key))

    @streams
    def stream(self, /, **wanted: Any) -> Iterator[E]:
        """The rows that match, one after the other; the server keeps them until you ask."""
        return self._backend.stream(self._source, operations.stream(wanted))

    def add(self, entity: E) -> E:
        """Add a row, and return it as the database stored it.

        Raises:
            UniqueViolation: if a row has its key already, or its value of a unique field.
        """
        return self._run(operations.add(entity))

    def add_many(self, entities: Iterable[E]) -> int:
        """Add many rows, all or none, by binary COPY, and return how many.

        Args:
            entities: the rows; a generator of any length is read while they are sent.
        """
        return self._run(operations.add_many(entities))

    def upsert(self, entity: E, *conflict: str, changing: str | Iterable[str] | None = None) -> E:
        """Add a row, or change the one that has the same values in the conflict fields.

        Args:
            entity: the row; its key and its fixed fields are only used if it is added.
            conflict: the fields of a unique index.
            changing: the fields to change in an existing row; fields with on_update and the version
                change too, others stay. With `()` an existing row stays as it is. You may only
                leave it out if no other field has a default.
        """
        return self._run(operations.upsert(self._declared, entity, conflict, changing))

    @updates
    def update(self, row: Key | E, /, **changes: Any) -> E:
        """Change the named fields of one row, and return it.

        Args:
            row: the row's key; or the row as you read it, to change it only if its version is still
                the same. Attributes that you set on it are not written.
            changes: the new values; with a key, `if_version` is the version that the row must still
                have, as a value or as text.

        Raises:
            NotFound: if no row has the key.
            StaleRow: if the row was changed or deleted since it had that version.
        """
        return self._run(operations.update(self._declared, row, changes))

    def delete(self, key: Key) -> None:
        """Delete a row.

        Raises:
            NotFound: if there is none.
        """
        self._run(operations.delete(self._declared, key))

    @wheres
    def where(self, /, **wanted: Any) -> Where[E]:
        """A filter as a value: `update_where(models.where(status=...), ...)`."""
        return Where(wanted)

    @updates_where
    def update_where(self, rows: Where[E], /, **changes: Any) -> int:
        """Change fields of all rows that match, in one statement, and return how many.

        Args:
            rows: the filter, from where(...); it must not be empty.
            changes: the new values.
        """
        return self._run(bulk.update_where(self._declared, rows, changes))

    @counts
    def delete_where(self, /, **wanted: Any) -> int:
        """Delete all rows that match a filter, which must not be empty, and return how many."""
        return self._run(bulk.delete_where(wanted))

    def add_missing(self, entity: E, *conflict: str) -> E | None:
        """Add a row, and return it; None if a row has the same values in the conflict fields.

        Args:
            entity: the row.
            conflict: the fields of a unique index.
        """
        return self._run(bulk.add_missing(self._declared, entity, conflict))

    def upsert_many(
        self, entities: Iterable[E], *conflict: str, changing: str | Iterable[str]
    ) -> int:
        """Add many rows or change existing ones, all or none, and return how many.

        Args:
            entities: the rows.
            conflict: the fields of a unique index.
            changing: the fields to change in an existing row; `()` to leave it alone.
        """
        operation = bulk.upsert_many(self._declared, entities, conflict, changing)
        return self._run(operation)

    def query(
        self, text: str, parameters: Parameters = None, *, join: Iterable[type[Any]] = ()
    ) -> list[E]:
        """The entities that your own SQL returns; pyorm.own_sql describes what goes in braces.

        Args:
            text: the SQL, or sql_file(path).
            parameters: by position for `%s`, by name for `%(name)s`.
            join: other entities whose tables it names.
        """
        return self._run(operations.query(text, parameters, self._sources(join)))

    def rows(
        self,
        row_type: type[T],
        text: str,
        parameters: Parameters = None,
        *,
        join: Iterable[type[Any]] = (),
    ) -> list[T]:
        """The rows that your own SQL returns, as values of your own dataclass.

        Args:
            row_type: a dataclass with a field for each column.
            text: as for query.
            parameters: as for query.
            join: as for query.

        Raises:
            InvalidValue: if the columns do not match the fields; nothing was sent.
            MappingError: if a value does not have the type of its field.
        """
        make = rows_of(row_type)
        return self._run(operations.own_rows(make, text, parameters, self._sources(join)))

    def scalars(
        self,
        value_type: type[T],
        text: str,
        parameters: Parameters = None,
        *,
        join: Iterable[type[Any]] = (),
    ) -> list[T]:
        """The values that a query of one column returns; parameters as for rows."""
        make = scalars_of(value_type)
        return self._run(operations.own_rows(make, text, parameters, self._sources(join)))

    def execute(
        self, text: str, parameters: Parameters = None, *, join: Iterable[type[Any]] = ()
    ) -> int:
        """Run your own SQL, as for query, and return how many rows it touched."""
        return self._run(operations.own_statement(text, parameters, self._sources(join)))

    def _sources(self, entities: Iterable[type[Any]]) -> tuple[Source[Any], ...]:
        return tuple(
            source_for(declaration(entity), self._on, self._contract) for entity in entities
        )
