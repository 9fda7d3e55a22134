"""Each call of a repository, defined once for the sync and the async one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from decimal import Decimal
from itertools import chain
from typing import Any, TypeVar

from pyorm import filters, queries, writes
from pyorm.contract import Source
from pyorm.entity import Declaration, Fields, Lock
from pyorm.errors import ContractChanged, InvalidValue, MultipleFound, NotFound, StaleRow
from pyorm.mapping import TableMapping, Writer
from pyorm.operation import Copy, Execute, ExecuteMany, MakeOf, OpenCursor, Operation, Outcome, Step
from pyorm.own_sql import Parameters, own_query
from pyorm.pages import Page, cursor_after, page_order, read_cursor
from pyorm.rows import Make
from pyorm.writes import ANY_VERSION

E = TypeVar("E")
Wanted = dict[str, Any]

REPLAYED = 10_000
"""How many rows of a generator are kept to be sent again, should the contract change meanwhile."""


class Get(Operation[E]):
    """The row of a key, locked until the end of the transaction if so wanted.

    A class rather than two closures: of 50 calls at once each object more is felt.

    Args:
        declared: the entity.
        key: a value, or a tuple for a key of several fields.
        lock: how the row is locked.
    """

    __slots__ = ("declared", "key", "lock")
    written = None
    join = ()

    def __init__(self, declared: Declaration[E], key: Any, lock: Lock | None) -> None:
        self.declared = declared
        self.key = key
        self.lock = queries.lock_of(lock)

    def step(self, mapping: TableMapping[E]) -> Step:
        """The query."""
        statement, parameters = queries.get(mapping, self.key, self.lock)
        return Execute(statement, parameters, mapping.make, None, self.lock is not None)

    def finish(self, outcome: Outcome) -> E:
        """The entity."""
        if outcome.items:
            return outcome.items[0]  # type: ignore[no-any-return]
        raise _not_found(self.declared, self.key, self.lock)


def get_many(declared: Declaration[E], keys: Iterable[Any]) -> Operation[list[E]]:
    """The rows of several keys, in their order; a key without a row is left out."""
    wanted = list(keys)
    if len(declared.key) != 1:
        raise InvalidValue(
            f"the key of {declared.name} has several fields: ask for each by get()",
            entity=declared.name,
        )
    (field,) = declared.key
    key_of: list[Any] = []

    def step(mapping: TableMapping[E]) -> Step:
        key_of[:] = map(_told_key(declared, mapping), wanted)
        found = {field: filters.one_of(*wanted)}
        return Execute(*queries.find(mapping, found), _by_key(declared, mapping))

    def finish(outcome: Outcome) -> list[E]:
        by_key = dict(outcome.items)
        if not by_key.keys() <= set(key_of):
            raise InvalidValue(
                f"{declared.name}.{field} is compared in another way than Python's, so it is not "
                f"known which row is of which key",
                hint="ask for each by get()",
                entity=declared.name,
                field=field,
            )
        return [by_key[key] for key in key_of if key in by_key]

    return Operation(step, finish)


def _by_key(declared: Declaration[E], mapping: TableMapping[E]) -> Make[Any]:
    (field,) = declared.key
    told = _told_key(declared, mapping)
    return lambda rows: [(told(getattr(made, field)), made) for made in mapping.make(rows)]


def _told_key(declared: Declaration[Any], mapping: TableMapping[Any]) -> Callable[[Any], Any]:
    """Gives of a key what two keys have in common that the server finds equal."""
    (field,) = declared.key
    storage = mapping.storages[field]
    if storage.sql_type == "bpchar" and not storage.spellings:  # which pads with blanks
        return lambda key: storage.encode(key).rstrip(" ")
    if declared.column(field).python in (Decimal, float):
        return lambda key: _told_number(storage.encode(key))
    return storage.encode


def _told_number(number: Any) -> Any:
    """A number, or a text for NaN, which in Python is not equal to itself."""
    return number if number == number else "NaN"


def find(wanted: Wanted) -> Operation[list[Any]]:
    """The rows that match a filter."""
    return Operation(
        lambda m: Execute(*queries.find(m, wanted), m.make, locks="lock" in wanted), _items
    )


def one(declared: Declaration[E], wanted: Wanted) -> Operation[E]:
    """The only row that matches a filter."""

    def finish(outcome: Outcome) -> E:
        if len(outcome.items) == 1:
            return outcome.items[0]  # type: ignore[no-any-return]
        asked = ", ".join(
            f"{field}={value if field in Fields.__annotations__ else declared.told(field, value)!r}"
            for field, value in wanted.items()
        )
        if outcome.items:
            raise MultipleFound(
                f"several rows of {declared.name} have {asked or 'no condition'}",
                entity=declared.name,
            )
        raise NotFound(f"no {declared.name} has {asked or 'no condition'}", entity=declared.name)

    limited = {**wanted, "limit": 2}
    return Operation(
        lambda m: Execute(*queries.find(m, limited), m.make, locks="lock" in limited), finish
    )


def count(wanted: Wanted) -> Operation[int]:
    """How many rows match a filter."""
    return Operation(lambda m: Execute(*queries.count(m, wanted)), lambda out: int(out.items[0][0]))


def exists(wanted: Wanted) -> Operation[bool]:
    """Whether a row matches a filter."""
    return Operation(
        lambda m: Execute(*queries.exists(m, wanted)), lambda out: bool(out.items[0][0])
    )


def page(after: str | None, wanted: Wanted, key: bytes) -> Operation[Page[Any]]:
    """The rows of a filter after a cursor that was signed with the key."""
    _refuse_lock(wanted, "page")
    limited = {"limit": 50, **wanted}
    used: list[TableMapping[Any]] = []

    def step(mapping: TableMapping[Any]) -> Step:
        used[:] = [mapping]
        order = page_order(mapping, limited)
        last = None if after is None else read_cursor(mapping, limited, order, after, key)
        return Execute(*queries.page(mapping, limited, order, last), mapping.make)

    def finish(outcome: Outcome) -> Page[Any]:
        items = outcome.items[: limited["limit"]]
        if len(items) == len(outcome.items) or not items:
            return Page(items, None)
        (mapping,) = used
        order = page_order(mapping, limited)
        return Page(items, cursor_after(mapping, limited, order, items[-1], key))

    return Operation(step, finish)


def stream(wanted: Wanted) -> Operation[tuple[Any, Make[Any]]]:
    """A cursor over the rows that match a filter, and what makes entities of them."""
    _refuse_lock(wanted, "stream")
    used: list[TableMapping[Any]] = []

    def step(mapping: TableMapping[Any]) -> Step:
        used[:] = [mapping]
        return OpenCursor(*queries.find(mapping, wanted))

    return Operation(step, lambda outcome: (outcome.items[0], used[0].make))


def add(entity: E) -> Operation[E]:
    """Add a row."""
    return Operation(lambda m: Execute(*writes.insert(m, entity), m.make), _first, written=entity)


class _Replayable:
    """Rows of a generator that can be read a second time, as long as few of them were read.

    A COPY that fails has read rows by then: when it is sent again under the other contract, they
    must be sent again too, or be missed loudly.
    """

    def __init__(self, rows: Iterable[Any]) -> None:
        self._rest = iter(rows)
        self._read: list[Any] | None = []

    def __iter__(self) -> Iterator[Any]:
        if self._read is None:
            raise ContractChanged(
                "the contract changed while rows were sent, and these cannot be read again",
                hint="Nothing was written: call add_many again, with a new generator or a list.",
            )
        before = tuple(self._read)
        return chain(before, self._forward())

    def _forward(self) -> Iterator[Any]:
        for row in self._rest:
            if self._read is not None:
                self._read.append(row)
                if len(self._read) > REPLAYED:
                    self._read = None
            yield row


def add_many(entities: Iterable[Any]) -> Operation[int]:
    """Add many rows: by COPY, or one by one where the table takes none."""
    held = entities if isinstance(entities, Sequence) else _Replayable(entities)

    def step(mapping: TableMapping[Any]) -> Step:
        rows = iter(held)
        if (first := next(rows, None)) is not None:
            rows = chain((first,), rows)
        writer = mapping.writer(first)
        encoded = _encoded(mapping, writer, rows)
        if mapping.takes_copy:
            return Copy(*writes.copy(mapping, writer), encoded)
        # All are looked at before one is sent, as COPY sees them before the constraints do.
        return ExecuteMany(writes.insert_many(mapping, writer), list(encoded))

    return Operation(step, lambda outcome: outcome.count)


def _encoded(
    mapping: TableMapping[Any], writer: Writer, entities: Iterable[Any]
) -> Iterator[tuple[Any, ...]]:
    """What is sent for each entity; all leave the same fields to the server."""
    if not mapping.left_out:
        return writer.encode_all(entities)

    def encode(entity: Any) -> tuple[Any, ...]:
        if mapping.writer(entity) is not writer:
            differ = mapping.writer(entity).left_out ^ writer.left_out
            raise InvalidValue(
                f"add_many of {mapping.declared.name}: some have a value of "
                f"{', '.join(sorted(differ))}, others leave it to the server",
                hint="add those with a value in a call of their own",
                entity=mapping.declared.name,
            )
        return writer.encode(entity)

    return map(encode, entities)


def upsert(
    declared: Declaration[E],
    entity: E,
    conflict: tuple[str, ...],
    changing: str | Iterable[str] | None,
) -> Operation[E]:
    """Add a row, or change the one it conflicts with."""
    if not conflict:
        raise InvalidValue(
            f"upsert of {declared.name} names no field of the conflict",
            hint="repo.upsert(entity, 'model_id', changing=('max_tokens',))",
            entity=declared.name,
        )
    named = (changing,) if isinstance(changing, str) else changing
    fields = None if named is None else tuple(named)
    return Operation(
        lambda m: Execute(*writes.upsert(m, entity, conflict, fields), m.make),
        _first,
        written=entity,
    )


def update(declared: Declaration[E], row: Any, changes: Wanted) -> Operation[E]:
    """Change fields of a row, given by its key or as it was read."""
    changes = dict(changes)
    version = changes.pop("if_version", ANY_VERSION)
    key = row
    if isinstance(row, declared.entity):
        read = getattr(row, writes.version_of(declared).field)
        if version is not ANY_VERSION:
            raise InvalidValue(
                f"update of {declared.name} was given a row, which has its version, and if_version",
                entity=declared.name,
            )
        version = read
        parts = tuple(getattr(row, field) for field in declared.key)
        key = parts if len(parts) > 1 else parts[0]
    elif version is not ANY_VERSION:
        version = writes.read_version(declared, version)

    def finish(outcome: Outcome) -> E:
        if outcome.items:
            return outcome.items[0]  # type: ignore[no-any-return]
        if version is ANY_VERSION:
            raise _not_found(declared, key)
        told = declared.told_key(key)
        raise StaleRow(
            f"{declared.name} {told} was changed or deleted since it had the version {version}",
            hint="read it again and decide anew",
            entity=declared.name,
            value=told,
        )

    return Operation(
        lambda m: Execute(*writes.update(m, key, changes, version), m.make),
        finish,
        written=changes,
    )


def delete(declared: Declaration[Any], key: Any) -> Operation[None]:
    """Delete a row."""

    def finish(outcome: Outcome) -> None:
        if not outcome.count:
            raise _not_found(declared, key)

    parts = key if isinstance(key, tuple) else (key,)
    written = dict(zip(declared.key, parts, strict=False))
    return Operation(lambda m: Execute(*writes.delete(m, key)), finish, written=written)


def query(text: str, parameters: Parameters, join: tuple[Source[Any], ...]) -> Operation[list[Any]]:
    """The rows of the user's own SQL."""

    def step(mapping: TableMapping[Any], *others: TableMapping[Any]) -> Step:
        statement = own_query(mapping, others, text, parameters)
        return Execute(*statement, make_of=mapping.makers)

    return Operation(step, _items, join=join)


def own_rows(
    make_of: MakeOf, text: str, parameters: Parameters, join: tuple[Source[Any], ...]
) -> Operation[list[Any]]:
    """The rows of the user's own SQL as values of a type of theirs."""

    def step(mapping: TableMapping[Any], *others: TableMapping[Any]) -> Step:
        return Execute(*own_query(mapping, others, text, parameters), make_of=make_of)

    return Operation(step, _items, join=join)


def own_statement(
    text: str, parameters: Parameters, join: tuple[Source[Any], ...]
) -> Operation[int]:
    """The user's own SQL; how many rows it touched."""

    def step(mapping: TableMapping[Any], *others: TableMapping[Any]) -> Step:
        return Execute(*own_query(mapping, others, text, parameters))

    return Operation(step, lambda outcome: outcome.count, join=join)


def _items(outcome: Outcome) -> list[Any]:
    return outcome.items


def _first(outcome: Outcome) -> Any:
    return outcome.items[0]


def _refuse_lock(wanted: Wanted, call: str) -> None:
    if "lock" in wanted:
        raise InvalidValue(f"{call}() locks no rows: find() does", field="lock")


def _not_found(declared: Declaration[Any], key: Any, lock: Lock | None = None) -> NotFound:
    key = declared.told_key(key)
    free = "unlocked " if lock and lock.endswith("skip locked") else ""
    named = "key" if len(declared.key) > 1 else declared.key[0]
    return NotFound(
        f"no {free}{declared.name} has the {named} {key}",
        entity=declared.name,
        field=", ".join(declared.key),
        value=key,
    )
