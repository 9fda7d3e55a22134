"""Filters and orders: what they ask, as SQL and parameters."""

from __future__ import annotations

import json
from typing import Any

from psycopg import sql

from pyorm import filters
from pyorm.errors import InvalidValue
from pyorm.filters import Match
from pyorm.mapping import SQLITE, TableMapping
from pyorm.storage import Storage, array_text

Shape = tuple[tuple[str, str], ...]
"""Each condition's field and operator; queries of one shape have one text."""

Order = tuple[tuple[str, bool], ...]
"""Fields, each with whether it descends."""

MOST_ROWS = 2**63 - 1
"""No limit is so large: beside it the next row's does not fit into a number of the server."""

IS_NULL, NOT_NULL = "is_null", "not_null"
SAME, NOT_SAME = "same", "not_same"
"""The tests of a value that may stand in several spellings."""

ONE_OF_BYTES = "one_of_bytes"
"""The test of bytes in SQLite, where JSON carries the list and has none."""


POSTGRESQL_TESTS = {
    IS_NULL: sql.SQL("{column} IS NULL"),
    NOT_NULL: sql.SQL("{column} IS NOT NULL"),
    SAME: sql.SQL("{column} IN ({mark}, {mark}, {mark}, {mark})"),
    NOT_SAME: sql.SQL("({column} IN ({mark}, {mark}, {mark}, {mark})) IS NOT TRUE"),
    filters.EQUAL: sql.SQL("{column} = {mark}"),
    filters.NOT: sql.SQL("{column} IS DISTINCT FROM {mark}"),
    filters.ONE_OF: sql.SQL("{column} = ANY ({mark}::{type}[])"),
    filters.AT_LEAST: sql.SQL("{ordered} >= {mark}"),
    filters.ABOVE: sql.SQL("{ordered} > {mark}"),
    filters.AT_MOST: sql.SQL("{ordered} <= {mark}"),
    filters.BELOW: sql.SQL("{ordered} < {mark}"),
    filters.BETWEEN: sql.SQL("{ordered} BETWEEN {mark} AND {mark}"),
    filters.CONTAINS: sql.SQL("{column} @> {mark}::{type}"),
}
ARRAY_TESTS = {
    filters.EQUAL: sql.SQL("{column} = {mark}::{type}"),
    filters.NOT: sql.SQL("{column} IS DISTINCT FROM {mark}::{type}"),
}
# What is sent for a native enum has no type of its own: it becomes the column's.
TEXT_TESTS = {
    filters.EQUAL: sql.SQL("{column} = {mark}"),
    filters.NOT: sql.SQL("{column} IS DISTINCT FROM {mark}"),
    filters.ONE_OF: sql.SQL("{column} = ANY ({mark})"),
    filters.CONTAINS: sql.SQL("{column} @> {mark}"),
}
SQLITE_TESTS = POSTGRESQL_TESTS | {
    filters.NOT: sql.SQL("{column} IS NOT {mark}"),
    filters.ONE_OF: sql.SQL("{column} IN (SELECT value FROM json_each({mark}))"),
    ONE_OF_BYTES: sql.SQL("hex({column}) IN (SELECT value FROM json_each({mark}))"),
    filters.CONTAINS: sql.SQL(
        "{column} IS NOT NULL AND NOT EXISTS (SELECT value FROM json_each({mark}) "
        "EXCEPT SELECT value FROM json_each({column}))"
    ),
}


def conditions(mapping: TableMapping[Any], wanted: dict[str, Any]) -> tuple[Shape, list[Any]]:
    """What a filter asks: its shape, and the parameters.

    Raises:
        InvalidValue: when a field does not exist or cannot hold a value.
    """
    shape: list[tuple[str, str]] = []
    values: list[Any] = []
    for field, value in wanted.items():
        storage = mapping.storages.get(field)
        if storage is None:
            if field not in ("order", "limit"):
                mapping.declared.column(field)
            continue
        if value is None:
            shape.append((field, IS_NULL))
        elif type(value) is Match:
            shape.append((field, _match(mapping, field, storage, value, values)))
        else:
            equal = Match(filters.EQUAL, (value,))
            shape.append((field, _match(mapping, field, storage, equal, values)))
    return tuple(shape), values


def _match(
    mapping: TableMapping[Any], field: str, storage: Storage, match: Match, values: list[Any]
) -> str:
    if match.operator == filters.NOT and match.values == (None,):
        return NOT_NULL
    _refuse_json(mapping, field, storage)
    if None in match.values:
        raise InvalidValue(
            f"{mapping.declared.name}.{field}: {match.operator}() takes no None",
            hint=f"{field}=None asks for null",
            entity=mapping.declared.name,
            field=field,
        )
    if match.operator == filters.CONTAINS:
        values.append(storage.encode(list(match.values)))
    elif match.operator == filters.ONE_OF:
        encoded = [storage.encode(value) for value in match.values]
        if storage.spellings:
            encoded = [text for value in encoded for text in storage.spellings(value)]
        if mapping.backend == SQLITE:
            in_hex = [item.hex().upper() if isinstance(item, bytes) else item for item in encoded]
            values.append(json.dumps(in_hex))
            return ONE_OF_BYTES if in_hex != encoded else filters.ONE_OF
        values.append(array_text(encoded) if storage.as_text else encoded)
    elif storage.spellings and match.operator in (filters.EQUAL, filters.NOT):
        values += storage.spellings(storage.encode(match.values[0]))
        return SAME if match.operator == filters.EQUAL else NOT_SAME
    else:
        values += [storage.encode(value) for value in match.values]
    return match.operator


def _refuse_json(mapping: TableMapping[Any], field: str, storage: Storage) -> None:
    if storage.is_json:
        raise InvalidValue(
            f"{mapping.declared.name}.{field} is json: a filter only asks whether it is None",
            hint="ask in SQL of your own: repo.query(...)",
            entity=mapping.declared.name,
            field=field,
        )


def where(mapping: TableMapping[Any], shape: Shape, *more: sql.Composable) -> sql.Composable:
    """The WHERE of a filter; nothing when it asks nothing."""
    tests: list[sql.Composable] = []
    for field, operator in shape:
        storage = mapping.storages[field]
        test = (SQLITE_TESTS if mapping.backend == SQLITE else POSTGRESQL_TESTS)[operator]
        if storage.as_text:
            test = TEXT_TESTS.get(operator, test)
        elif storage.is_array:
            test = ARRAY_TESTS.get(operator, test)
        tests.append(
            test.format(
                column=mapping.names[field],
                ordered=mapping.compared(field),
                mark=mapping.mark,
                type=sql_type(storage.sql_type),
            )
        )
    tests += more
    return sql.SQL(" WHERE {}").format(sql.SQL(" AND ").join(tests)) if tests else sql.SQL("")


def sql_type(name: str) -> sql.Composable:
    """A type's name as the catalog writes it, quoted already."""
    return sql.SQL(name.replace("%", "%%"))


def order_of(mapping: TableMapping[Any], order: Any) -> Order:
    """Read an order: a field, `-field` for descending, or several.

    Raises:
        InvalidValue: when a field does not exist.
    """
    if not isinstance(order, str | tuple | list):
        raise InvalidValue(f"an order is a field, or several, not {order!r}", value=order)
    names = (order,) if isinstance(order, str) else tuple(order)
    return tuple(
        (mapping.declared.column(name.removeprefix("-")).field, name.startswith("-"))
        for name in names
    )


def order_by(mapping: TableMapping[Any], order: Order) -> sql.Composable:
    """The ORDER BY of an order; nothing for an empty one."""
    parts = []
    for field, descends in order:
        part = sql.SQL("{} DESC" if descends else "{}").format(mapping.compared(field))
        if mapping.backend == SQLITE:
            # It thinks null small, PostgreSQL great.
            part += sql.SQL(" NULLS FIRST" if descends else " NULLS LAST")
        parts.append(part)
    return sql.SQL(" ORDER BY {}").format(sql.SQL(", ").join(parts)) if parts else sql.SQL("")


def limit_of(limit: Any) -> int:
    """Read a limit.

    Raises:
        InvalidValue: when it is no number of rows.
    """
    if type(limit) is not int or not 0 <= limit < MOST_ROWS:
        raise InvalidValue(f"a limit is a number of rows, not {limit!r}", value=limit)
    return limit
