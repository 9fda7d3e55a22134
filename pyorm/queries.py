"""Each query that a repository can send, defined once: its SQL and its parameters."""

from __future__ import annotations

from typing import Any, LiteralString, TypeVar

from psycopg import sql

from pyorm.conditions import Order, Shape, conditions, limit_of, order_by, order_of, where
from pyorm.entity import Declaration
from pyorm.errors import InvalidValue
from pyorm.filters import Match
from pyorm.mapping import TableMapping, Writer

E = TypeVar("E")
Statement = tuple[bytes, Any]


def get(mapping: TableMapping[Any], key: Any) -> Statement:
    """One row by its key."""

    def text() -> sql.Composable:
        return sql.SQL("SELECT {} FROM {} WHERE {}").format(
            mapping.selected, mapping.relation, _key_test(mapping)
        )

    return mapping.text("get", text), mapping.key(key)


def find(mapping: TableMapping[Any], wanted: dict[str, Any]) -> Statement:
    """The rows that match a filter, in its order, up to its limit."""
    shape, values = conditions(mapping, wanted)
    order = order_of(mapping, wanted.get("order", ()))
    limit = wanted.get("limit")
    if limit is not None:
        values.append(limit_of(limit))

    def text() -> sql.Composable:
        return sql.SQL("SELECT {} FROM {}{}{}{}").format(
            mapping.selected,
            mapping.relation,
            where(mapping, shape),
            order_by(mapping, order),
            _limit(mapping) if limit is not None else sql.SQL(""),
        )

    return mapping.text(("find", shape, order, limit is None), text), tuple(values)


def count(mapping: TableMapping[Any], wanted: dict[str, Any]) -> Statement:
    """How many rows match a filter."""
    shape, values = _only_conditions(mapping, wanted)

    def text() -> sql.Composable:
        return sql.SQL("SELECT count(*) FROM {}{}").format(mapping.relation, where(mapping, shape))

    return mapping.text(("count", shape), text), tuple(values)


def exists(mapping: TableMapping[Any], wanted: dict[str, Any]) -> Statement:
    """Whether a row matches a filter."""
    shape, values = _only_conditions(mapping, wanted)

    def text() -> sql.Composable:
        return sql.SQL("SELECT EXISTS (SELECT 1 FROM {}{})").format(
            mapping.relation, where(mapping, shape)
        )

    return mapping.text(("exists", shape), text), tuple(values)


def page(
    mapping: TableMapping[Any], wanted: dict[str, Any], order: Order, after: list[Any] | None
) -> Statement:
    """The rows of a filter that follow the last one of the page before, and one more.

    Args:
        mapping: the entity.
        wanted: the filter, with its limit.
        order: ends in the key, so that no two rows are equal in it.
        after: what the last row has in the order's fields, None for the first page.
    """
    shape, values = conditions(mapping, wanted)
    if after is not None:
        last = [
            mapping.storages[field].encode(value)
            for (field, _), value in zip(order, after, strict=True)
        ]
        values += last if _one_way(order) else [v for i in range(len(last)) for v in last[: i + 1]]
    values.append(limit_of(wanted["limit"]) + 1)

    def text() -> sql.Composable:
        beyond = [_beyond(mapping, order)] if after is not None else []
        return sql.SQL("SELECT {} FROM {}{}{}{}").format(
            mapping.selected,
            mapping.relation,
            where(mapping, shape, *beyond),
            order_by(mapping, order),
            _limit(mapping),
        )

    return mapping.text(("page", shape, order, after is None), text), tuple(values)


def insert(mapping: TableMapping[E], entity: E) -> Statement:
    """Add a row and return it."""
    writer = mapping.writer(entity)

    def text() -> sql.Composable:
        return _insert(mapping, writer) + sql.SQL(" RETURNING ") + mapping.selected

    return mapping.text(("insert", writer.left_out), text), writer.encode(entity)


def insert_many(mapping: TableMapping[Any], writer: Writer) -> bytes:
    """Add a row and return nothing."""
    shape = ("insert_many", writer.left_out)
    return mapping.text(shape, lambda: _insert(mapping, writer))


def copy(mapping: TableMapping[Any], writer: Writer) -> tuple[bytes, list[str]]:
    """Add rows by binary COPY: the statement, and the types of its columns."""

    def text() -> sql.Composable:
        return sql.SQL("COPY {} ({}) FROM STDIN (FORMAT BINARY)").format(
            mapping.relation, _names(mapping, writer)
        )

    # COPY takes no parameters, so a percent sign is one here.
    statement = mapping.text(("copy", writer.left_out), text).replace(b"%%", b"%")
    return statement, [storage.copy_type for _, storage in writer.columns]


def upsert(mapping: TableMapping[E], entity: E, conflict: tuple[str, ...]) -> Statement:
    """Add a row, or change the one that has the same values in the conflict's fields."""
    for field in conflict:
        mapping.declared.column(field)
    writer = mapping.writer(entity)

    def text() -> sql.Composable:
        kept = {*conflict, *mapping.declared.key, *writer.left_out}
        changed = [c.field for c in mapping.declared.columns if not c.fixed and c.field not in kept]
        sets = [sql.SQL("{0} = excluded.{0}").format(mapping.names[field]) for field in changed]
        return sql.SQL("{} ON CONFLICT ({}) DO UPDATE SET {} RETURNING {}").format(
            _insert(mapping, writer),
            sql.SQL(", ").join(mapping.names[field] for field in conflict),
            sql.SQL(", ").join(sets),
            mapping.selected,
        )

    return mapping.text(("upsert", conflict, writer.left_out), text), writer.encode(entity)


def update(
    mapping: TableMapping[Any], key: Any, changes: dict[str, Any], read_at: Any = None
) -> Statement:
    """Change fields of one row and return it.

    Args:
        mapping: the entity.
        key: the row's key.
        changes: the new values; a field with on_update that is not among them gets its own.
        read_at: what the field with on_update must still hold, None to change the row anyway.
    """
    declared = mapping.declared
    values = {}
    for field, value in changes.items():
        _check_change(mapping, field, value)
        values[field] = mapping.storages[field].encode(value)
    if not values:
        raise InvalidValue(f"an update of {declared.name} without a field", entity=declared.name)
    for column, storage in mapping.columns:
        if column.on_update and column.field not in values:
            values[column.field] = storage.encode(column.on_update())
    stamp = stamp_of(declared) if read_at is not None else None
    last = (mapping.storages[stamp].encode(read_at),) if stamp else ()

    def text() -> sql.Composable:
        tests = _key_test(mapping)
        if stamp:
            tests = sql.SQL("{} AND {} = {}").format(tests, mapping.names[stamp], mapping.mark)
        return sql.SQL("UPDATE {} SET {} WHERE {} RETURNING {}").format(
            mapping.relation,
            _tests(mapping, tuple(values), ", "),
            tests,
            mapping.selected,
        )

    shape = ("update", tuple(values), stamp)
    return mapping.text(shape, text), (*values.values(), *mapping.key(key), *last)


def delete(mapping: TableMapping[Any], key: Any) -> Statement:
    """Delete one row by its key."""

    def text() -> sql.Composable:
        return sql.SQL("DELETE FROM {} WHERE {}").format(mapping.relation, _key_test(mapping))

    return mapping.text("delete", text), mapping.key(key)


def stamp_of(declared: Declaration[Any]) -> str:
    """The field that tells when a row was changed last.

    Raises:
        InvalidValue: when the entity has none.
    """
    for column in declared.columns:
        if column.on_update:
            return column.field
    raise InvalidValue(
        f"nothing tells whether a {declared.name} changed: no field has on_update",
        hint="update by the key, or declare updated_at: datetime = column(on_update=now, ...)",
        entity=declared.name,
    )


def _check_change(mapping: TableMapping[Any], field: str, value: Any) -> None:
    declared = mapping.declared
    if isinstance(value, Match):
        reason = f"{declared.name}.{field}: {value.operator}() is for filters"
    elif declared.column(field).is_generated:
        reason = f"{declared.name}.{field} is computed by the server"
    elif declared.column(field).fixed:
        reason = f"{declared.name}.{field} stays what it was when the row was added"
    else:
        return
    raise InvalidValue(reason, entity=declared.name, field=field, value=value)


def _only_conditions(mapping: TableMapping[Any], wanted: dict[str, Any]) -> tuple[Shape, list[Any]]:
    if "order" in wanted or "limit" in wanted:
        raise InvalidValue("count() and exists() take no order and no limit")
    return conditions(mapping, wanted)


def _key_test(mapping: TableMapping[Any]) -> sql.Composable:
    return _tests(mapping, mapping.declared.key, " AND ")


def _tests(
    mapping: TableMapping[Any], fields: tuple[str, ...], between: LiteralString
) -> sql.Composable:
    """`field = mark` for each field."""
    pairs = [sql.SQL("{} = {}").format(mapping.names[field], mapping.mark) for field in fields]
    return sql.SQL(between).join(pairs)


def _insert(mapping: TableMapping[Any], writer: Writer) -> sql.Composable:
    if not writer.columns:
        return sql.SQL("INSERT INTO {} DEFAULT VALUES").format(mapping.relation)
    marks = sql.SQL(", ").join([mapping.mark] * len(writer.columns))
    return sql.SQL("INSERT INTO {} ({}) VALUES ({})").format(
        mapping.relation, _names(mapping, writer), marks
    )


def _names(mapping: TableMapping[Any], writer: Writer) -> sql.Composable:
    return sql.SQL(", ").join(mapping.names[column.field] for column, _ in writer.columns)


def _limit(mapping: TableMapping[Any]) -> sql.Composable:
    return sql.SQL(" LIMIT {}").format(mapping.mark)


def _one_way(order: Order) -> bool:
    return len({descends for _, descends in order}) == 1


def _beyond(mapping: TableMapping[Any], order: Order) -> sql.Composable:
    """The condition that a row stands after another one; as a row comparison an index serves it."""
    if _one_way(order):
        return sql.SQL("({}) {} ({})").format(
            sql.SQL(", ").join(mapping.names[field] for field, _ in order),
            sql.SQL("<" if order[0][1] else ">"),
            sql.SQL(", ").join([mapping.mark] * len(order)),
        )
    steps = []
    for i, (field, descends) in enumerate(order):
        past = sql.SQL("{} < {}" if descends else "{} > {}").format(
            mapping.names[field], mapping.mark
        )
        same = tuple(name for name, _ in order[:i])
        steps.append(
            sql.SQL("({} AND {})").format(_tests(mapping, same, " AND "), past) if same else past
        )
    return sql.SQL("({})").format(sql.SQL(" OR ").join(steps))
