"""What a column's data and catalog say about it: the evidence that a proposal rests on."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, LiteralString

from psycopg import Connection, sql
from psycopg.rows import dict_row

from runner.catalog import Catalog, Column, Relation

# What the standard can hold as an enum: more values are a table of their own.
MANY_VALUES = 20
_UUID: LiteralString = r"^([0-9a-f]{4}-?){7}[0-9a-f]{4}$|^\{([0-9a-f]{4}-?){7}[0-9a-f]{4}\}$"
_STATISTICS: LiteralString = """
    SELECT schemaname, tablename, attname, n_distinct,
        most_common_vals::text::text[] AS common, histogram_bounds::text::text[] AS bounds
    FROM pg_stats WHERE schemaname = ANY (%(schemas)s)
"""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is known of one text or enum column.

    Args:
        rows: rows looked at; 0 when the table is empty or was not analysed.
        whole: whether every row was looked at.
        values: its distinct values, None when they are many.
        labels: the labels of its native enum type or of its CHECK, empty when it has none.
        uuids: how many of the values that were looked at are uuids, None when it was not asked.
        filled: how many of the rows are not null.
        spellings: how uuids are spelled that are not spelled as uuid prints them.
    """

    rows: int = 0
    whole: bool = False
    values: tuple[str, ...] | None = None
    labels: tuple[str, ...] = ()
    uuids: int | None = None
    filled: int = 0
    spellings: tuple[str, ...] = ()


def is_text(column: Column) -> bool:
    """Whether a column holds text, or an array of it."""
    kind = column.type.removesuffix("[]").partition("(")[0]
    return kind in {"character varying", "text", "character", "bpchar"} or (
        column.type_name is not None and column.type_name.name == "citext"
    )


def may_hold_uuids(column: Column) -> bool:
    """Whether a uuid's text fits into a column, without or with its dashes and braces."""
    length = re.search(r"\((\d+)\)", column.type)
    return is_text(column) and not column.is_array and (not length or 32 <= int(length[1]) <= 38)


def read_evidence(
    connection: Connection[Any], catalog: Catalog, *, scan: bool
) -> dict[tuple[str, str, str], Evidence]:
    """Gather what can be known of every text and enum column.

    Args:
        connection: the database; only read.
        catalog: what it holds.
        scan: read each table once; else the planner's statistics must do.

    Returns:
        The evidence by schema, table and column.
    """
    with connection.cursor(row_factory=dict_row) as cursor:
        cursor.execute(_STATISTICS, {"schemas": list(catalog.schemas)})
        statistics = {(r["schemaname"], r["tablename"], r["attname"]): r for r in cursor}
    found: dict[tuple[str, str, str], Evidence] = {}
    for table in catalog.tables:
        native = {
            c.name: catalog.types[c.type_name].labels
            for c in table.columns
            if c.type_name and c.type_name in catalog.types and catalog.types[c.type_name].labels
        }
        columns = [c for c in table.columns if is_text(c) or c.name in native]
        counted = _scan(connection, table, columns) if scan and columns else {}
        for column in columns:
            key = (table.schema, table.name, column.name)
            labels = native.get(column.name) or checked_values(table, column.name)
            found[key] = counted.get(column.name) or _from_statistics(column, statistics.get(key))
            if labels:
                found[key] = _with_labels(found[key], labels)
    return found


def checked_values(table: Relation, column: str) -> tuple[str, ...]:
    """The values that a CHECK of the form `column IN (...)` allows."""
    for constraint in table.constraints:
        if constraint.kind == "c" and constraint.columns == (column,):
            texts = re.findall(r"'((?:[^']|'')*)'::", constraint.definition)
            if texts and ("ANY" in constraint.definition or "<@" in constraint.definition):
                return tuple(dict.fromkeys(t.replace("''", "'") for t in texts))
    return ()


def _with_labels(evidence: Evidence, labels: Iterable[str]) -> Evidence:
    return Evidence(
        rows=evidence.rows,
        whole=evidence.whole,
        values=evidence.values,
        labels=tuple(labels),
        filled=evidence.filled,
    )


def _from_statistics(column: Column, row: Mapping[str, Any] | None) -> Evidence:
    if row is None:
        return Evidence()
    common = row["common"] or []
    seen = [*common, *(row["bounds"] or [])]
    few = 0 < row["n_distinct"] <= MANY_VALUES and not row["bounds"] and not column.is_array
    uuids = None
    if may_hold_uuids(column) and seen:
        uuids = sum(bool(re.match(_UUID, v, re.IGNORECASE)) for v in seen)
    return Evidence(
        rows=len(seen),
        values=tuple(sorted(common)) if few else None,
        uuids=uuids,
        filled=len(seen),
    )


def _scan(
    connection: Connection[Any], table: Relation, columns: Iterable[Column]
) -> dict[str, Evidence]:
    """Read a table once: every column's distinct values and uuids in one query."""
    parts: list[sql.Composable] = []
    asked = list(columns)
    for column in asked:
        name = sql.Identifier(column.name)
        text = sql.SQL("{}::text").format(name)
        parts.append(sql.SQL("count({})").format(name))
        if may_hold_uuids(column):
            parts.append(
                sql.SQL("count(*) FILTER (WHERE {} ~* {})").format(text, sql.Literal(_UUID))
            )
            parts.append(sql.SQL("count(*) FILTER (WHERE length({}) = 32)").format(text))
            parts.append(sql.SQL("count(*) FILTER (WHERE {0} <> lower({0}))").format(text))
        else:
            parts += [sql.SQL("NULL::bigint")] * 3
    query = sql.SQL("SELECT count(*), {} FROM {}").format(
        sql.SQL(", ").join(parts), sql.Identifier(table.schema, table.name)
    )
    with connection.cursor() as cursor:
        row = cursor.execute(query).fetchone()
        assert row is not None
        found = {}
        for number, column in enumerate(asked):
            filled, uuids, hexadecimal, upper = row[1 + 4 * number : 5 + 4 * number]
            spellings = []
            if uuids and hexadecimal:
                spellings.append(f"{hexadecimal} of 32 hex digits")
            if uuids and upper:
                spellings.append(f"{upper} in upper case")
            values = None if uuids and uuids == filled else _values(connection, table, column)
            found[column.name] = Evidence(
                rows=row[0],
                whole=True,
                values=values,
                uuids=uuids,
                filled=filled,
                spellings=tuple(spellings),
            )
    return found


def _values(connection: Connection[Any], table: Relation, column: Column) -> tuple[str, ...] | None:
    """The distinct values of a column, None when they are many: stops at the first too many."""
    source = sql.Identifier(table.schema, table.name)
    name = sql.Identifier(column.name)
    item = sql.SQL("unnest({})").format(name) if column.is_array else name
    # A first look at some rows spares the sort of a column of free text.
    query = sql.SQL(
        "SELECT DISTINCT v::text FROM (SELECT {item} AS v FROM {source} LIMIT {limit}) AS x"
        " WHERE v IS NOT NULL LIMIT {many}"
    )
    for limit in (sql.Literal(1000), sql.SQL("ALL")):
        statement = query.format(
            item=item, source=source, limit=limit, many=sql.Literal(MANY_VALUES + 1)
        )
        values = [row[0] for row in connection.execute(statement)]
        if len(values) > MANY_VALUES:
            return None
    return tuple(sorted(values))
