"""The queries of a repository that read: the SQL and the parameters of each."""

from __future__ import annotations

from typing import Any, get_args

from psycopg import sql

from pyorm.conditions import Order, Shape, conditions, limit_of, order_by, order_of, where
from pyorm.entity import Lock
from pyorm.errors import InvalidValue
from pyorm.mapping import SQLITE, TableMapping

Statement = tuple[bytes, Any]


def get(mapping: TableMapping[Any], key: Any, lock: Lock | None = None) -> Statement:
    """One row by its key."""
    return mapping.text(("get", lock), _get, mapping, lock), mapping.key(key)


def _get(mapping: TableMapping[Any], lock: Lock | None) -> sql.Composable:
    return sql.SQL("SELECT {} FROM {} WHERE {}{}").format(
        mapping.selected, mapping.relation, mapping.key_test, locking(mapping, lock)
    )


def find(mapping: TableMapping[Any], wanted: dict[str, Any]) -> Statement:
    """The rows that match a filter, in its order, up to its limit."""
    shape, values = conditions(mapping, wanted)
    order = order_of(mapping, wanted.get("order", ()))
    limit = wanted.get("limit")
    lock = lock_of(wanted.get("lock"))
    if limit is not None:
        values.append(limit_of(limit))

    def text() -> sql.Composable:
        return sql.SQL("SELECT {} FROM {}{}{}{}{}").format(
            mapping.selected,
            mapping.relation,
            where(mapping, shape),
            order_by(mapping, order),
            _limit(mapping) if limit is not None else sql.SQL(""),
            locking(mapping, lock),
        )

    return mapping.text(("find", shape, order, limit is None, lock), text), tuple(values)


def lock_of(lock: Any) -> Lock | None:
    """Read a lock.

    Raises:
        InvalidValue: when there is no such lock of rows.
    """
    if lock is None or lock in get_args(Lock):
        return lock  # type: ignore[no-any-return]
    raise InvalidValue(f"a lock is one of {', '.join(map(repr, get_args(Lock)))}, not {lock!r}")


def locking(mapping: TableMapping[Any], lock: Lock | None) -> sql.Composable:
    """FOR UPDATE and its like; SQLite, whose transactions lock the database, has none."""
    if lock is None or mapping.backend == SQLITE:
        return sql.SQL("")
    return sql.SQL(" FOR ") + sql.SQL(lock.upper())


def count(mapping: TableMapping[Any], wanted: dict[str, Any]) -> Statement:
    """How many rows match a filter."""
    shape, values = only_conditions(mapping, wanted)

    def text() -> sql.Composable:
        return sql.SQL("SELECT count(*) FROM {}{}").format(mapping.relation, where(mapping, shape))

    return mapping.text(("count", shape), text), tuple(values)


def exists(mapping: TableMapping[Any], wanted: dict[str, Any]) -> Statement:
    """Whether a row matches a filter."""
    shape, values = only_conditions(mapping, wanted)

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
            mapping.stored_values(field, value)
            for (field, _), value in zip(order, after, strict=True)
        ]
        rounds = [last] if _one_way(order) else [last[: i + 1] for i in range(len(last))]
        values += [value for fields in rounds for stored in fields for value in stored]
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


def only_conditions(mapping: TableMapping[Any], wanted: dict[str, Any]) -> tuple[Shape, list[Any]]:
    """What a filter asks that has no order and no limit."""
    for name in ("order", "limit", "lock"):
        if name in wanted:
            raise InvalidValue(f"only find() and its like take {name}=", field=name)
    return conditions(mapping, wanted)


def _limit(mapping: TableMapping[Any]) -> sql.Composable:
    return sql.SQL(" LIMIT {}").format(mapping.mark)


def _one_way(order: Order) -> bool:
    return len({descends for _, descends in order}) == 1


def _beyond(mapping: TableMapping[Any], order: Order) -> sql.Composable:
    """The condition that a row stands after another one; as a row comparison an index serves it."""
    if _one_way(order):
        return sql.SQL("({}) {} ({})").format(
            sql.SQL(", ").join(mapping.compared(field) for field, _ in order),
            sql.SQL("<" if order[0][1] else ">"),
            sql.SQL(", ").join(mapping.stored(field) for field, _ in order),
        )
    steps = []
    for i, (_, descends) in enumerate(order):
        tests = ["{} = {}"] * i + ["{} < {}" if descends else "{} > {}"]
        step = [
            sql.SQL(test).format(mapping.compared(name), mapping.stored(name))
            for test, (name, _) in zip(tests, order[: i + 1], strict=True)
        ]
        steps.append(sql.SQL("({})").format(sql.SQL(" AND ").join(step)))
    return sql.SQL("({})").format(sql.SQL(" OR ").join(steps))
