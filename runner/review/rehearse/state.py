"""Whether a database is as it was: its catalog and its rows, whatever their order."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from psycopg import Connection, sql

from runner.catalog import Catalog, Column, Relation, diff
from runner.postgres.connect import connect
from runner.quoting import Name, shorten, told_name
from runner.review.fingerprint import service_catalog
from runner.review.measures import ContractColumn, ContractTable
from runner.review.rehearse.run import relation_names
from runner.review.rehearse.sample import name_of, service_tables

MOST_SHOWN = 5
_LITERAL = re.compile(r"'((?:[^']|'')*)'")


@dataclass(frozen=True)
class State:
    """A database at one moment.

    Args:
        catalog: what it holds, without records.
        rows: of each of the service's tables, how many and a sum over them.
    """

    catalog: Catalog
    rows: Mapping[Name, tuple[int, str]]


def read_state(dsn: str) -> State:
    """Read the catalog, and each row of the service's tables."""
    with connect(dsn, application_name="trueup rehearsal") as connection:
        catalog = service_catalog(connection)
        rows = {t.qualified: _digest(connection, t) for t in service_tables(catalog)}
    return State(catalog, rows)


def differences(expected: State, found: State) -> list[str]:
    """What is not as expected; the order of columns does not count, as PostgreSQL adds at the end.

    Args:
        expected: the state that should be.
        found: the state that is.

    Returns:
        One line a difference, empty when there is none.
    """
    lines = [str(d) for d in diff(expected.catalog, found.catalog, column_order=False)]
    for name in sorted(expected.rows.keys() & found.rows.keys()):
        (count, total), (now, other) = expected.rows[name], found.rows[name]
        if count != now:
            lines.append(f"table {name}: {now:,} rows, expected {count:,}")
        elif total != other:
            lines.append(f"table {name}: rows have other values than before")
    return lines


def _digest(connection: Connection[Any], table: Relation) -> tuple[int, str]:
    """The rows' number and the sum of their MD5 sums: the order of rows does not count.

    Until enforce is done the new columns do not count either: what a backfill has filled goes with
    them when expand is rolled back, and not before.
    """
    names = {c.name for c in table.columns}
    if any(k.name.endswith("_in_step") and not k.validated for k in table.constraints):
        new = {n for n in names if n.endswith("__new") or shorten(n, "__old") in names}
        names -= new
    columns = sql.SQL(", ").join(map(sql.Identifier, sorted(names)))
    row = connection.execute(
        sql.SQL(
            "SELECT count(*), coalesce(sum(('x' || left(m, 16))::bit(64)::bigint::numeric), 0)"
            " || ' ' || coalesce(sum(('x' || right(m, 16))::bit(64)::bigint::numeric), 0)"
            " FROM (SELECT md5(ROW({})::text) AS m FROM {}) AS rows"
        ).format(columns, name_of(table))
    ).fetchone()
    assert row is not None
    return row[0], row[1]


def contract_of(dsn: str) -> tuple[ContractTable, ...]:
    """The tables as a client sees them."""
    with connect(dsn, application_name="trueup rehearsal") as connection:
        catalog = service_catalog(connection)
        oids = {name: oid for oid, name in relation_names(connection).items()}
        numbers = {
            (oid, name): number
            for oid, name, number in connection.execute(
                "SELECT attrelid::bigint, attname, attnum FROM pg_catalog.pg_attribute"
                " WHERE attnum > 0 AND NOT attisdropped"
            )
        }

    def column_of(table: Relation, column: Column) -> ContractColumn:
        return ContractColumn(
            column.name,
            column.type,
            column.not_null,
            bool(table.primary_key and column.name in table.primary_key.columns),
            _guard(table, column.name),
            _references(table, column.name, oids),
            numbers[oids[told_name(*table.qualified)], column.name],
        )

    return tuple(
        ContractTable(
            oids[told_name(*table.qualified)],
            table.name if table.schema == "public" else told_name(*table.qualified),
            tuple(column_of(table, column) for column in table.columns),
        )
        for table in service_tables(catalog)
    )


def _references(table: Relation, column: str, oids: Mapping[str, int]) -> int:
    targets = (k.references for k in table.constraints if k.kind == "f" and column in k.columns)
    return next((oids.get(told_name(*target), 0) for target in targets if target), 0)


def _guard(table: Relation, column: str) -> str:
    """What limits a column's values: the list of its CHECK, or that they are unique."""
    guards = []
    for constraint in table.constraints:
        if constraint.columns != (column,):
            continue
        if constraint.kind == "c" and (values := _LITERAL.findall(constraint.definition)):
            guards.append(", ".join(dict.fromkeys(values)))
        elif constraint.kind == "u":
            guards.append("unique")
    return "; ".join(guards)
