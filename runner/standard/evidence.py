"""What a column's data and catalog say about it: the evidence that a proposal rests on."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, LiteralString

from psycopg import Connection, sql
from psycopg.rows import dict_row

from runner.catalog import Catalog, Column, Relation
from runner.quoting import Name
from runner.standard.checks import listed_values

# What the standard can hold as an enum: more values are a table of their own.
MANY_VALUES = 20
_UUID: LiteralString = r"^([0-9a-f]{4}-?){7}[0-9a-f]{4}$|^\{([0-9a-f]{4}-?){7}[0-9a-f]{4}\}$"
# 32 hex digits at whose places of version and variant stands what no generator of uuids writes.
_NO_VERSION: LiteralString = r"^[0-9a-f]{12}([09a-f]|[1-8].{3}[0-7c-f])[0-9a-f]*$"
_STATISTICS: LiteralString = """
    SELECT schemaname, tablename, attname, n_distinct,
        most_common_vals::text::text[] AS common, histogram_bounds::text::text[] AS bounds,
        most_common_elems::text::text[] AS elements
    FROM pg_stats WHERE schemaname = ANY (%(schemas)s)
"""
_READABLE: LiteralString = """
    SELECT n.nspname AS schema, c.relname AS name
    FROM pg_class AS c
    JOIN pg_namespace AS n ON n.oid = c.relnamespace
    WHERE n.nspname = ANY (%(schemas)s) AND c.relkind IN ('r', 'p')
        AND has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, 'SELECT')
        AND NOT row_security_active(c.oid)
"""
_TEXTS = frozenset({"character varying", "text", "character", "bpchar"})
_INTEGERS = {"smallint", "integer", "bigint"}
_GRADE = re.compile(
    r"(^|_)(priority|level|severity|rank|grade|tier|state|status|kind|type|stage|mode|importance)$"
)


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is known of one text or enum column.

    Args:
        rows: rows looked at; 0 when the table is empty or was not analysed.
        whole: whether every row was looked at.
        values: its distinct values, None when they are many.
        labels: the labels of its native enum type, or what a CHECK or its domain lists; empty
            when it has none.
        uuids: how many of the values that were looked at are uuids, None when it was not asked.
        filled: how many of the rows are not null.
        spellings: how uuids are spelled that are not spelled as uuid prints them.
        digests: how many of them are 32 hex digits without a uuid's version: an MD5, a random
            number.
    """

    rows: int = 0
    whole: bool = False
    values: tuple[str, ...] | None = None
    labels: tuple[str, ...] = ()
    uuids: int | None = None
    filled: int = 0
    spellings: tuple[str, ...] = ()
    digests: int = 0


def plain(column: Column, catalog: Catalog) -> Column:
    """A column of a domain as one of the type beneath it, if that is no array."""
    named = catalog.types.get(column.type_name) if column.type_name else None
    if column.is_array or named is None or named.definition is None:
        return column
    beneath = catalog.beneath_domains(column)
    is_array = beneath.endswith("[]")
    return column if is_array else replace(column, type=beneath, type_name=None)


def is_text(column: Column) -> bool:
    """Whether a column holds text, or an array of it."""
    kind = column.type.removesuffix("[]").partition("(")[0]
    return kind in _TEXTS or (column.type_name is not None and column.type_name.name == "citext")


def _as_text(column: Column, value: sql.Composable) -> sql.Composable:
    """A value as the server writes it: the owner of a type may have made a cast of it."""
    kind = column.type.removesuffix("[]").partition("(")[0]
    if kind in _TEXTS or is_integer(column):
        return sql.SQL("{}::text").format(value)
    return sql.SQL("CASE WHEN {0} IS NOT NULL THEN format('%s', {0}) END").format(value)


def may_hold_uuids(column: Column) -> bool:
    """Whether a uuid's text fits into a column, if only without its dashes."""
    length = re.search(r"\((\d+)\)", column.type)
    return is_text(column) and not column.is_array and (not length or int(length[1]) >= 32)


def is_integer(column: Column) -> bool:
    """Whether a column holds integers."""
    return column.type in _INTEGERS


def may_be_grade(column: Column) -> bool:
    """Whether an integer column is called as one whose few numbers have a meaning."""
    return is_integer(column) and _GRADE.search(column.name) is not None


def read_evidence(
    connection: Connection[Any], catalog: Catalog, *, scan: bool
) -> tuple[dict[tuple[str, str, str], Evidence], list[Name]]:
    """Gather what can be known of every column that may be converted.

    Args:
        connection: the database; only read.
        catalog: what it holds.
        scan: read each table once; else the planner's statistics must do.

    Returns:
        The evidence by schema, table and column, and the tables that the role may not read.
    """
    wanted = {"schemas": list(catalog.schemas)}
    with connection.cursor(row_factory=dict_row) as cursor:
        cursor.execute(_STATISTICS, wanted)
        statistics = {(r["schemaname"], r["tablename"], r["attname"]): r for r in cursor}
    readable = readable_tables(connection, catalog)
    found: dict[tuple[str, str, str], Evidence] = {}
    unread = []
    for table in catalog.tables:
        labels = {c.name: _labels(table, c, catalog) for c in table.columns}
        beneath = [plain(c, catalog) for c in table.columns]
        columns = [c for c in beneath if is_text(c) or may_be_grade(c) or labels[c.name]]
        counted = {}
        if scan and columns:
            if table.qualified in readable:
                counted = _scan(connection, table, columns)
            else:
                unread.append(table.qualified)
        for column in columns:
            key = (table.schema, table.name, column.name)
            seen = counted.get(column.name) or _from_statistics(column, statistics.get(key))
            found[key] = _with_labels(seen, labels[column.name]) if labels[column.name] else seen
    return found, unread


def readable_tables(connection: Connection[Any], catalog: Catalog) -> set[Name]:
    """The tables whose rows the role may all see."""
    rows = connection.execute(_READABLE, {"schemas": list(catalog.schemas)})
    return {Name(schema, name) for schema, name in rows}


def _labels(table: Relation, column: Column, catalog: Catalog) -> tuple[str, ...]:
    """What a column's enum type, its domain or a CHECK on it alone lists."""
    named = catalog.types.get(column.type_name) if column.type_name else None
    if named and named.labels:
        return named.labels
    lists = [listed_values(definition, "VALUE") for _, definition in column.rules]
    lists += [
        listed_values(k.definition, column.name)
        for k in table.constraints
        if k.kind == "c" and k.columns == (column.name,)
    ]
    return next(filter(None, lists), ())


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
    common = (row["elements"] if column.is_array else row["common"]) or []
    seen = [*common, *(row["bounds"] or [])]
    few = 0 < row["n_distinct"] <= MANY_VALUES and not row["bounds"]
    if column.is_array:
        few = 0 < len(common) <= MANY_VALUES
    uuids, digests = None, 0
    if may_hold_uuids(column) and seen:
        uuids = sum(bool(re.match(_UUID, v, re.IGNORECASE)) for v in seen)
        digests = sum(len(v) == 32 and bool(re.match(_NO_VERSION, v, re.IGNORECASE)) for v in seen)
    return Evidence(
        rows=len(seen),
        values=tuple(sorted(common)) if few else None,
        uuids=uuids,
        filled=len(seen),
        digests=digests,
    )


def _scan(
    connection: Connection[Any], table: Relation, columns: Iterable[Column]
) -> dict[str, Evidence]:
    """Read a table once: every column's distinct values and uuids in one query."""
    parts: list[sql.Composable] = []
    asked = list(columns)
    for column in asked:
        name = sql.Identifier(column.name)
        parts.append(sql.SQL("count({})").format(name))
        if may_hold_uuids(column):
            # Its length is known without reading a long text, and decides first.
            text = _as_text(column, name)
            length = name if column.type.startswith(("character varying", "text")) else text
            value = sql.SQL(
                'CASE WHEN octet_length({}) BETWEEN 32 AND 38 THEN {} COLLATE "C" END'
            ).format(length, text)
            parts += [
                sql.SQL("count(*) FILTER (WHERE {} ~* {})").format(value, sql.Literal(_UUID)),
                sql.SQL("count(*) FILTER (WHERE length({}) = 32)").format(value),
                sql.SQL("count(*) FILTER (WHERE {0} <> lower({0}))").format(value),
                sql.SQL("count(*) FILTER (WHERE length({0}) = 32 AND {0} ~* {1})").format(
                    value, sql.Literal(_NO_VERSION)
                ),
            ]
        else:
            parts += [sql.SQL("NULL::bigint")] * 4
    query = sql.SQL("SELECT count(*), {} FROM {}").format(
        sql.SQL(", ").join(parts), sql.Identifier(table.schema, table.name)
    )
    with connection.cursor() as cursor:
        row = cursor.execute(query).fetchone()
        assert row is not None
        found = {}
        for number, column in enumerate(asked):
            filled, uuids, hexadecimal, upper, digests = row[1 + 5 * number : 6 + 5 * number]
            spellings = []
            if uuids and hexadecimal:
                spellings.append(f"{hexadecimal:,} of 32 hex digits")
            if uuids and upper:
                spellings.append(f"{upper:,} in upper case")
            values = None
            if filled and uuids != filled:
                values = _values(connection, table, column)
            found[column.name] = Evidence(
                rows=row[0],
                whole=True,
                values=values,
                uuids=uuids,
                filled=filled,
                spellings=tuple(spellings),
                digests=digests or 0,
            )
    return found


def _values(connection: Connection[Any], table: Relation, column: Column) -> tuple[str, ...] | None:
    """The distinct values of a column, None when they are many: stops at the first too many."""
    source = sql.Identifier(table.schema, table.name)
    name = sql.Identifier(column.name)
    item = sql.SQL("unnest({})").format(name) if column.is_array else name
    # A first look at some rows spares the sort of a column of free text.
    query = sql.SQL(
        'SELECT DISTINCT {text} COLLATE "C"'
        " FROM (SELECT {item} AS v FROM {source} LIMIT {limit}) AS x"
        " WHERE v IS NOT NULL LIMIT {many}"
    )
    text = _as_text(column, sql.SQL("v"))
    for limit in (sql.Literal(1000), sql.SQL("ALL")):
        statement = query.format(
            text=text, item=item, source=source, limit=limit, many=sql.Literal(MANY_VALUES + 1)
        )
        values = [row[0] for row in connection.execute(statement)]
        if len(values) > MANY_VALUES:
            return None
    return tuple(sorted(values))
