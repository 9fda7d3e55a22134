"""The paths of JSON columns that hold enum values, against the standard."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from psycopg import Connection

from runner.quoting import shorten
from runner.standard.model import JsonPath
from runner.verify.checks import accepted_at
from runner.verify.report import Distance

if TYPE_CHECKING:
    from runner.catalog import Column
    from runner.verify.verified import Verified


def json_distances(
    connection: Connection[Any], table: Verified, name: str, paths: Sequence[JsonPath]
) -> Iterator[Distance]:
    """List what keeps a JSON column from holding nothing but values of its enums at its paths.

    Args:
        connection: in a read-only transaction.
        table: the table.
        name: the column.
        paths: its paths under the standard.
    """
    column = table.relation.column(name)
    if column is None or column.type not in ("json", "jsonb"):
        found = column.type if column else "no such column"
        yield table.distance(table.column(name), "json or jsonb", found)
        return
    for path in paths:
        yield from _default(table, column, path)
        yield from _check(connection, table, column, path)


def _default(table: Verified, column: Column, path: JsonPath) -> Iterator[Distance]:
    literal = re.fullmatch(r"'((?:[^']|'')*)'::jsonb?", column.default or "")
    place = json.loads(literal[1].replace("''", "'")) if literal else None
    for key in path.keys:
        place = place.get(key) if isinstance(place, dict) else None
    if place is not None and place not in path.enum.values:
        yield table.distance(
            f"default of {table.column(column.name)}",
            f"a value of {path.enum.name} at {'.'.join(path.keys)}",
            column.default or "",
        )


def _check(
    connection: Connection[Any], table: Verified, column: Column, path: JsonPath
) -> Iterator[Distance]:
    name = shorten("_".join((table.standard.name, column.name, *path.keys)), "_check")
    object_ = f"constraint {name} on {table.relation.qualified}"
    listed = ", ".join(path.enum.values)
    constraint = table.relation.constraint(name)
    if constraint is None:
        yield table.distance(object_, "a CHECK", "none", "enforce" if table.old_sides else None)
        return
    if constraint.kind != "c" or name in table.uncheckable:
        yield table.distance(object_, f"the values {listed}", constraint.definition)
        return
    passing = accepted_at(connection, column, constraint, path)
    refused = [v for v in path.enum.values if v not in passing]
    more = sorted(passing - set(path.enum.values))
    if refused or more:
        yield table.distance(
            object_,
            f"the values of {path.enum.name}: {listed}",
            " and ".join(
                f"{what} {', '.join(map(repr, values))}"
                for what, values in (("refuses", refused), ("also passes", more))
                if values
            ),
        )
