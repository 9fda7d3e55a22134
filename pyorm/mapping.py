"""An entity as it is stored: one table or view, under one contract, on one backend."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from itertools import islice
from typing import Any, Generic, TypeVar

from psycopg import sql

from pyorm.entity import Declaration, DeclaredColumn
from pyorm.errors import InvalidValue
from pyorm.rows import Make, batch_encoder, entity_encoder, row_maker
from pyorm.server_made import ServerMade
from pyorm.storage import ARRAY, DECIMAL_ARRAY, Storage, postgres, sqlite, uuid_spellings

E = TypeVar("E")

POSTGRESQL, SQLITE = "postgresql", "sqlite"


BATCH = 250
"""How many entities are encoded at once."""

SPELLINGS = len(uuid_spellings(""))

KEPT_TEXTS = 1_000
"""How many texts of queries are kept for a mapping, and how many are known to be its own."""

_NOTHING: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Writer:
    """What writes the entities that leave the same fields to the server.

    Args:
        left_out: the fields.
        columns: the others.
        encode: gives what the driver takes for the columns; raises InvalidValue.
        encode_batch: gives it for several entities at once.
    """

    left_out: frozenset[str]
    columns: list[tuple[DeclaredColumn, Storage]]
    encode: Callable[[Any], tuple[Any, ...]]
    encode_batch: Callable[[list[Any]], Iterable[tuple[Any, ...]]]

    def encode_all(self, entities: Iterable[Any]) -> Iterator[tuple[Any, ...]]:
        """What the driver takes for many entities, which are read as the rows are wanted.

        Raises:
            InvalidValue: for a value that its field cannot hold.
        """
        unread = iter(entities)
        while batch := list(islice(unread, BATCH)):
            yield from self.encode_batch(batch)


class Makers(Generic[E]):
    """The row makers of an entity for SQL of the user's own: one for each order of its columns.

    Args:
        declared: the entity.
        columns: its columns as they are stored.
    """

    def __init__(
        self, declared: Declaration[E], columns: Sequence[tuple[DeclaredColumn, Storage]]
    ) -> None:
        self._declared = declared
        self._columns = {column.name: (column, storage) for column, storage in columns}
        self._makers: dict[tuple[str, ...], Make[E]] = {}
        self._known: set[bytes] = set()

    def knows(self, statement: bytes) -> bool:
        """Whether a statement's columns have been seen to be the entity's, and stay so."""
        return statement in self._known

    def learn(self, statement: bytes, names: tuple[str, ...]) -> None:
        """Take in what a statement would return; nothing at all is right too.

        Raises:
            InvalidValue: when the columns are not the entity's.
        """
        if names:
            self(names)
        if b"*" in statement:
            return  # what a star stands for changes with the table
        if len(self._known) >= KEPT_TEXTS:
            self._known.clear()
        self._known.add(statement)

    def __call__(self, names: tuple[str, ...]) -> Make[E]:
        """The row maker for columns of these names.

        Raises:
            InvalidValue: when they are not the entity's, each once.
        """
        if made := self._makers.get(names):
            return made
        if len(names) != len(self._columns) or set(names) != self._columns.keys():
            raise InvalidValue(
                f"the query gives the columns {', '.join(names)}, "
                f"{self._declared.name} has {', '.join(self._columns)}",
                hint="select {columns}, or each of these by its name",
                entity=self._declared.name,
            )
        columns = [self._columns[name] for name in names]
        made = self._makers[names] = row_maker(self._declared, columns, strict=True)
        return made


class TableMapping(Generic[E]):
    """An entity as it is stored.

    Args:
        declared: the entity.
        table: the name of the table or view.
        storages: how each field is stored.
        schema: where it stands, None for where the entity says.
        is_view: whether the name is a view's, which takes no COPY.
        is_old: whether it stands under the old contract.
        backend: POSTGRESQL or SQLITE.
    """

    def __init__(
        self,
        declared: Declaration[E],
        table: str,
        storages: dict[str, Storage],
        *,
        schema: str | None = None,
        is_view: bool = False,
        is_old: bool = False,
        backend: str = POSTGRESQL,
    ) -> None:
        self.declared = declared
        self.storages = storages
        self.copy_types = {c.field: storages[c.field].copy_type(c) for c in declared.columns}
        # A view takes no COPY, and of a native enum's array only the server knows the type.
        self.takes_copy = backend == POSTGRESQL and not is_view
        self.takes_copy &= None not in self.copy_types.values()
        self.is_old = is_old
        self.backend = backend
        self.mark = sql.SQL("%s") if backend == POSTGRESQL else sql.SQL("?")
        schema = (schema or declared.schema) if backend == POSTGRESQL else None
        self.relation = sql.SQL(".").join(
            identifier(name, backend) for name in (schema, table) if name
        )
        self.columns = [(column, storages[column.field]) for column in declared.columns]
        self.names = {c.field: identifier(c.name, backend) for c in declared.columns}
        self.all_names = sql.SQL(", ").join(self.names.values())
        self.selected = self.select_list()
        self.make: Make[E] = row_maker(declared, self.columns)
        self.left_out = {
            column.field
            for column in declared.columns
            if column.server or (column.nullable and column.field in declared.key)
        }
        self._writers: dict[frozenset[str], Writer] = {}
        # The type of a key that is sent as it is, without a call for it.
        storage = storages[declared.key[0]]
        plain = len(declared.key) == 1 and storage.inline is not None and storage.inline.is_plain
        self._quick_key = storage.inline.python if plain and storage.inline else None
        self._texts: dict[Hashable, bytes] = {}
        self._versions = 0
        self._version = b""
        self.makers = Makers(declared, self.columns)

    def select_list(self, alias: str = "") -> sql.Composable:
        """All columns of a SELECT or RETURNING, each under its own name."""
        parts: list[sql.Composable] = []
        for column, storage in self.columns:
            name = self.names[column.field]
            of_alias = sql.SQL(".").join([identifier(alias, self.backend), name]) if alias else name
            if storage.as_text:
                cast = "{}::text[] AS {}" if storage.is_array else "{}::text AS {}"
                of_alias = sql.SQL(cast).format(of_alias, name)
            parts.append(of_alias)
        return sql.SQL(", ").join(parts)

    def key(self, key: Any) -> tuple[Any, ...]:
        """The parameters of key_test: a value, or a tuple of them for a key of several fields.

        Raises:
            InvalidValue: when it is no key of the entity.
        """
        if type(key) is self._quick_key:
            return (key,)
        fields = self.declared.key
        parts = (key,) if len(fields) == 1 else key
        if not isinstance(parts, tuple) or len(parts) != len(fields):
            raise InvalidValue(
                f"the key of {self.declared.name} is ({', '.join(fields)}), not {key!r}",
                entity=self.declared.name,
                value=key,
            )
        values: list[Any] = []
        for field, part in zip(fields, parts, strict=True):
            storage = self.storages[field]
            value = storage.encode(part)
            values += storage.spellings(value) if storage.spellings else (value,)
        return tuple(values)

    @cached_property
    def key_test(self) -> sql.Composable:
        """The condition that a row has a key."""
        tests = []
        for field in self.declared.key:
            test = "{} IN ({})" if self.storages[field].spellings else "{} = {}"
            tests.append(sql.SQL(test).format(self.names[field], self._spelled(field)))
        return sql.SQL(" AND ").join(tests)

    def _spelled(self, field: str) -> sql.Composable:
        return sql.SQL(", ").join(
            [self.mark] * (SPELLINGS if self.storages[field].spellings else 1)
        )

    def compared(self, field: str) -> sql.Composable:
        """A column where its order counts: that of its text, under each contract."""
        storage = self.storages[field]
        if storage.as_text and not storage.is_array:
            return sql.SQL("{}::text").format(self.names[field])
        column = self.declared.column(field)
        if self.backend == SQLITE and column.array:
            collation = DECIMAL_ARRAY if column.python is Decimal else ARRAY
            return sql.SQL("{} COLLATE {}").format(self.names[field], sql.Identifier(collation))
        return self.names[field]

    def stored(self, field: str) -> sql.Composable:
        """A value that a row has in a field, as the row stores it."""
        if not self.storages[field].spellings:
            return self.mark
        found = "coalesce((SELECT k.{0} FROM {1} AS k WHERE k.{0} IN ({2}) LIMIT 1), {3})"
        return sql.SQL(found).format(
            self.names[field], self.relation, self._spelled(field), self.mark
        )

    def stored_values(self, field: str, value: Any) -> tuple[Any, ...]:
        """The parameters of stored."""
        storage = self.storages[field]
        encoded = storage.encode(value)
        return (*storage.spellings(encoded), encoded) if storage.spellings else (encoded,)

    def writer(self, entity: E | None) -> Writer:
        """What writes an entity, None for any: all columns but those that the server fills."""
        left_out = _NOTHING
        if self.left_out:
            left_out = frozenset(
                column.field
                for column in self.declared.columns
                if column.field in self.left_out
                and (entity is None or _is_left_out(column, entity))
            )
        writer = self._writers.get(left_out)
        if writer is None:
            columns = [pair for pair in self.columns if pair[0].field not in left_out]
            encode = entity_encoder(columns)
            writer = Writer(left_out, columns, encode, batch_encoder(columns, encode))
            self._writers[left_out] = writer
        return writer

    def text(self, shape: Hashable, make: Callable[..., sql.Composable], *arguments: Any) -> bytes:
        """The text of a query, made once for each shape."""
        text = self._texts.get(shape)
        if text is None:
            if len(self._texts) >= KEPT_TEXTS:
                # Shapes can come from a client: an order, a filter, a text of one's own.
                self._texts.clear()
            text = self._texts[shape] = make(*arguments).as_bytes(None) + self._version
        return text

    def renew(self) -> None:
        """Give each query a new text: no connection has a statement prepared for it yet.

        What they have prepared fails for good after an ALTER TABLE; this spares all of them.
        """
        self._versions += 1
        self._version = b"\n/* %d */" % self._versions
        self._texts.clear()


def _is_left_out(column: DeclaredColumn, entity: Any) -> bool:
    value = getattr(entity, column.field)
    return column.is_generated or type(value) is ServerMade or (value is None and not column.server)


def identifier(name: str, backend: str = POSTGRESQL) -> sql.Composable:
    """A name in a query with parameters, where psycopg wants a percent sign twice."""
    return sql.Identifier(name.replace("%", "%%") if backend == POSTGRESQL else name)


def declared_mapping(declared: Declaration[E]) -> TableMapping[E]:
    """An entity on PostgreSQL as it is declared: the new contract."""
    storages = {column.field: postgres(declared.name, column) for column in declared.columns}
    return TableMapping(declared, declared.table, storages)


def sqlite_mapping(declared: Declaration[E]) -> TableMapping[E]:
    """An entity in an SQLite database."""
    storages = {column.field: sqlite(declared.name, column) for column in declared.columns}
    return TableMapping(declared, declared.table, storages, backend=SQLITE)
