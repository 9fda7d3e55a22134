"""Filters and orders: what they ask, as SQL and parameters."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from typing import Any

from psycopg import sql

from pyorm import filters
from pyorm.errors import InvalidValue
from pyorm.filters import Match
from pyorm.mapping import SQLITE, TableMapping
from pyorm.storage import Storage, array_text
from pyorm.values import is_encodable

Operator = str | tuple["Operator", ...]
"""A test's name; of NOT and ANY_OF with the operators within: (ANY_OF, IS_NULL, LIKE)."""

Shape = tuple[tuple[str, Operator], ...]
"""Each condition's field and operator; queries of one shape have one text."""

Order = tuple[tuple[str, bool], ...]
"""Fields, each with whether it descends."""

MOST_ROWS = 2**63 - 1
"""No limit is so large: beside it the next row's does not fit into a number of the server."""

IS_NULL, NOT_NULL = "is_null", "not_null"
SAME, NOT_SAME = "same", "not_same"
"""The tests of a value that may stand in several spellings."""


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
    filters.LIKE: sql.SQL("{column} LIKE {mark}"),
    filters.ILIKE: sql.SQL("{column} ILIKE {mark}"),
}
ARRAY_TESTS = {
    filters.EQUAL: sql.SQL("{column} = {mark}::{type}"),
    filters.NOT: sql.SQL("{column} IS DISTINCT FROM {mark}::{type}"),
    filters.CONTAINS: sql.SQL("{column} @> {mark}::{type}"),
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
    filters.LIKE: sql.SQL("pyorm_like({mark}, {column})"),
    filters.ILIKE: sql.SQL("pyorm_ilike({mark}, {column})"),
}
SQLITE_ARRAY_TESTS = {
    filters.EQUAL: SQLITE_TESTS[filters.EQUAL],
    filters.NOT: SQLITE_TESTS[filters.NOT],
    filters.CONTAINS: sql.SQL(
        "({column} IS NOT NULL AND NOT EXISTS (SELECT value FROM json_each({mark}) "
        "EXCEPT SELECT value FROM json_each({column})))"
    ),
}
# JSON, in which SQLite takes the list, has no bytes.
SQLITE_BYTES_ONE_OF = sql.SQL("hex({column}) IN (SELECT value FROM json_each({mark}))")

OF_NULLS = {IS_NULL, NOT_NULL}
OF_TEXT = {filters.LIKE, filters.ILIKE}
BOUNDS = {filters.AT_LEAST, filters.ABOVE, filters.AT_MOST, filters.BELOW, filters.BETWEEN}


def conditions(mapping: TableMapping[Any], wanted: dict[str, Any]) -> tuple[Shape, list[Any]]:
    """What a filter asks: its shape, and the parameters.

    Raises:
        InvalidValue: when a field does not exist or cannot hold a value.
    """
    shape: list[tuple[str, Operator]] = []
    values: list[Any] = []
    for field, value in wanted.items():
        storage = mapping.storages.get(field)
        if storage is None:
            if field not in ("order", "limit", "lock"):
                mapping.declared.column(field)
        elif not (type(value) is Match and value.operator == filters.ANYTHING):
            shape.append((field, _operator(mapping, field, storage, value, values)))
    return tuple(shape), values


def _operator(
    mapping: TableMapping[Any], field: str, storage: Storage, value: Any, values: list[Any]
) -> Operator:
    """How a field is asked for a value or a condition; adds the parameters to the values."""
    if value is None:
        return IS_NULL
    if type(value) is not Match:
        return _match(mapping, field, storage, Match(filters.EQUAL, (value,)), values)
    if value.operator == filters.ANY_OF:
        # Without any it is false, as one_of without any.
        each = (_operator(mapping, field, storage, one, values) for one in value.values)
        return (filters.ANY_OF, *each)
    if value.operator == filters.NOT and type(value.values[0]) is Match:
        return (filters.NOT, _operator(mapping, field, storage, value.values[0], values))
    return _match(mapping, field, storage, value, values)


def _match(
    mapping: TableMapping[Any], field: str, storage: Storage, match: Match, values: list[Any]
) -> str:
    if match.operator == filters.NOT and match.values == (None,):
        return NOT_NULL
    if match.operator == filters.ANYTHING:
        raise _invalid(mapping, field, ": given() stands alone, or around another condition")
    _refuse(mapping, field, storage, match.operator)
    if None in match.values:
        hint = f"{field}=None asks for null; any_of(None, ...) for null or another value"
        raise _invalid(mapping, field, f": {match.operator}() takes no None", hint)
    if match.operator in OF_TEXT:
        values += [_pattern(mapping, field, pattern) for pattern in match.values]
    elif match.operator == filters.CONTAINS:
        values.append(storage.encode(list(match.values)))
    elif match.operator == filters.ONE_OF:
        encoded = [storage.encode(value) for value in match.values]
        if storage.spellings:
            encoded = [text for value in encoded for text in storage.spellings(value)]
        if mapping.backend == SQLITE:
            values.append(_json(encoded))
        else:
            values.append(array_text(encoded) if storage.as_text else encoded)
    elif storage.spellings and match.operator in (filters.EQUAL, filters.NOT):
        values += storage.spellings(storage.encode(match.values[0]))
        return SAME if match.operator == filters.EQUAL else NOT_SAME
    else:
        values += [storage.encode(value) for value in match.values]
    return match.operator


def _pattern(mapping: TableMapping[Any], field: str, pattern: Any) -> str:
    if not isinstance(pattern, str) or "\0" in pattern or not is_encodable(pattern):
        raise _invalid(mapping, field, f": {pattern!r} is not a pattern for text")
    # PostgreSQL refuses a pattern that ends within an escape.
    if (len(pattern) - len(pattern.rstrip("\\"))) % 2:
        hint = "a backslash escapes the next character; write two for one"
        raise _invalid(mapping, field, f": the pattern {pattern!r} ends in a backslash", hint)
    return pattern


def _json(values: list[Any]) -> str:
    """A list for SQLite's json_each."""
    parts = []
    for value in values:
        if isinstance(value, bytes):
            parts.append(json.dumps(value.hex().upper()))
        elif isinstance(value, float) and math.isinf(value):
            parts.append("9e999" if value > 0 else "-9e999")
        else:
            parts.append(json.dumps(value))
    return f"[{','.join(parts)}]"


def _refuse(mapping: TableMapping[Any], field: str, storage: Storage, operator: str) -> None:
    """Refuse what a column of the field's type cannot be asked."""
    array = storage.sql_type.endswith("[]")
    column = mapping.declared.column(field)
    if column.is_json:
        hint = "ask in SQL of your own: repo.query(...)"
        raise _invalid(mapping, field, " is json: a filter only asks whether it is None", hint)
    if array or column.array:
        if operator not in ARRAY_TESTS:
            hint = "any_of([...], [...]) asks for one of several lists"
            raise _invalid(mapping, field, f" is a list, which {operator}() cannot be asked", hint)
    elif operator == filters.CONTAINS:
        raise _invalid(mapping, field, " is not a list: contains() looks for its members")
    elif operator not in POSTGRESQL_TESTS:
        raise _invalid(mapping, field, f": there is no condition {operator!r}")
    elif operator in OF_TEXT and column.python is not str:
        raise _invalid(mapping, field, f" is not text, which {operator}() needs")


def _invalid(mapping: TableMapping[Any], field: str, reason: str, hint: str = "") -> InvalidValue:
    name = mapping.declared.name
    return InvalidValue(f"{name}.{field}{reason}", hint=hint, entity=name, field=field)


def where(mapping: TableMapping[Any], shape: Shape, *more: sql.Composable) -> sql.Composable:
    """The WHERE of a filter; nothing when it asks nothing."""
    tests = [_test(mapping, field, operator) for field, operator in shape]
    tests += more
    return sql.SQL(" WHERE {}").format(sql.SQL(" AND ").join(tests)) if tests else sql.SQL("")


def _test(mapping: TableMapping[Any], field: str, operator: Operator) -> sql.Composable:
    """A condition as SQL."""
    if not isinstance(operator, str):
        within = [_test(mapping, field, one) for one in operator[1:]]
        if operator[0] == filters.NOT:
            return sql.SQL("({}) IS NOT TRUE").format(within[0])
        return sql.SQL("({})").format(sql.SQL(" OR ").join(within)) if within else sql.SQL("false")
    storage = mapping.storages[field]
    lite = mapping.backend == SQLITE
    tests = SQLITE_TESTS if lite else POSTGRESQL_TESTS
    column = mapping.declared.column(field)
    if column.array and operator not in OF_NULLS:
        tests = SQLITE_ARRAY_TESTS if lite else ARRAY_TESTS
    test = TEXT_TESTS[operator] if storage.as_text and operator in TEXT_TESTS else tests[operator]
    if lite and column.python is bytes and operator == filters.ONE_OF:
        test = SQLITE_BYTES_ONE_OF
    return test.format(
        column=mapping.names[field],
        ordered=mapping.compared(field),
        mark=mapping.mark,
        type=sql_type(storage.sql_type),
    )


def sql_type(name: str) -> sql.Composable:
    """A type's name as the catalog writes it, quoted already."""
    return sql.SQL(name.replace("%", "%%"))


def order_of(mapping: TableMapping[Any], order: str | Iterable[str] | None) -> Order:
    """Read an order: a field, `-field` for descending, or several.

    Raises:
        InvalidValue: when a field does not exist, stands twice, or has no order.
    """
    declared = mapping.declared
    if order is None or order == ():
        return ()
    names = (order,) if isinstance(order, str) else order
    if not isinstance(names, tuple | list) or not all(isinstance(name, str) for name in names):
        raise InvalidValue(
            f"an order is a field, -field, or several, not {order!r}", entity=declared.name
        )
    read = [(declared.column(name.removeprefix("-")), name.startswith("-")) for name in names]
    for i, (column, _) in enumerate(read):
        if column.is_json:
            raise _invalid(mapping, column.field, " is json, which has no order")
        if any(column is earlier for earlier, _ in read[:i]):
            raise _invalid(mapping, column.field, " stands twice in the order")
    return tuple((column.field, descends) for column, descends in read)


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
