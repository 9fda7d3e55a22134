"""Rows for a rehearsal without reading any: made from the catalog, statistics and the standard."""

from __future__ import annotations

import json
import random
import re
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from psycopg import Connection, Error, sql

from runner.catalog import Catalog, Column, Constraint, Relation
from runner.quoting import Name
from runner.review.rehearse.mending import checks_of, mend
from runner.review.rehearse.sample import columns_of, service_tables

if TYPE_CHECKING:
    from runner.standard.model import Standard

Maker = Callable[[int], Any]
_NOW = datetime(2026, 1, 1, tzinfo=UTC)
_TEXTS = ("character varying", "text", "character", "citext", "name")
_IN_LIST = re.compile(r"= ANY \(.*?ARRAY\[(?P<list>.*?)\]")
_LITERAL = re.compile(r"'((?:[^']|'')*)'")
_LENGTH = re.compile(r"\((\d+)\)")


@dataclass(frozen=True)
class Hints:
    """What is known of the values of columns.

    Args:
        values: the values that a column may have.
        uuids: text columns that hold uuids.
        shares: rows of a column that are null, from 0 to 1.
        rows: rows of the live table, so that small tables stay small.
    """

    values: Mapping[tuple[Name, str], Sequence[str]] = field(default_factory=dict)
    uuids: frozenset[tuple[Name, str]] = frozenset()
    shares: Mapping[tuple[Name, str], float] = field(default_factory=dict)
    rows: Mapping[Name, int] = field(default_factory=dict)


def hints_of_standard(standard: Standard) -> Hints:
    """What a standard tells of the old contract: enum values in lower case, uuids as text."""
    values, uuids = {}, set()
    for table in standard.tables:
        name = Name(table.schema, table.old)
        uuids |= {(name, column) for column in table.uuids}
        for column, enum in table.enums.items():
            values[name, column] = [value.lower() for value in enum.values]
    return Hints(values, frozenset(uuids))


def hints_of_statistics(connection: Connection[Any], known: Hints) -> Hints:
    """Add what the planner's statistics tell: the most common values and how many are null.

    Args:
        connection: to the live database; `pg_stats` shows what the role may read.
        known: hints that go before.
    """
    values, shares = dict(known.values), dict(known.shares)
    for schema, table, column, null_share, common in connection.execute(
        "SELECT schemaname, tablename, attname, null_frac,"
        " coalesce(most_common_elems, most_common_vals)::text::text[]"
        " FROM pg_catalog.pg_stats WHERE schemaname !~ '^pg_'"
    ):
        key = (Name(schema, table), column)
        shares[key] = null_share
        if common and len(common) <= 50:
            values.setdefault(key, common)
    return Hints(values, known.uuids, shares, known.rows)


def fill(connection: Connection[Any], catalog: Catalog, rows: int, hints: Hints) -> list[str]:
    """Fill empty tables with made-up rows that keep keys and foreign keys.

    Args:
        connection: to the scratch database; no foreign key is checked.
        catalog: its tables.
        rows: how many rows a table, fewer where hints know a smaller table.
        hints: what is known of the values.

    Returns:
        The tables that stayed empty, each with the reason.
    """
    filler = _Filler(connection, catalog, hints)
    return [
        reason
        for table in _parents_first(service_tables(catalog))
        if (reason := filler.fill(table, min(rows, hints.rows.get(table.qualified, rows))))
    ]


class _Filler:
    def __init__(self, connection: Connection[Any], catalog: Catalog, hints: Hints) -> None:
        self._connection, self._catalog, self._hints = connection, catalog, hints
        self._random = random.Random(1)  # the same rows in each rehearsal
        self._rows: dict[Name, list[dict[str, Any]]] = {}

    def fill(self, table: Relation, count: int) -> str:
        """Fill one table; returns why it stayed empty, or nothing."""
        makers = {c.name: self._maker(table, c) for c in table.columns if not c.generated}
        keys = [k for k in table.constraints if k.kind == "f" and k.references]
        for key in keys:
            if key.references != table.qualified:
                known = len(self._rows.get(key.references or table.qualified, ()))
                if self._is_unique(table, key.columns):
                    count = min(count, known)
                if not known and any(_required(table, c) for c in key.columns):
                    count = 0
        made: list[dict[str, Any]] = []
        for n in range(count):
            row = {name: maker(n) for name, maker in makers.items()}
            for key in keys:
                row.update(self._parent(table, key, n, made))
            made.append(row)
        try:
            with self._connection.transaction():
                if not made or not checks_of(table):
                    self._copy(sql.Identifier(*table.qualified), table, made)
                else:
                    made = self._meet_checks(table, made)
        except Error as error:
            self._rows[table.qualified] = []
            return f"{table.qualified} stayed empty: {error.diag.message_primary or error}"
        self._rows[table.qualified] = made
        if count and not made:
            return f"{table.qualified} stayed empty: no row could be made that meets its checks"
        return ""

    def _copy(
        self, into: sql.Composable, table: Relation, rows: Sequence[Mapping[str, Any]]
    ) -> None:
        write = sql.SQL("COPY {} ({}) FROM STDIN").format(into, columns_of(table))
        with self._connection.cursor() as cursor, cursor.copy(write) as copy:
            for row in rows:
                copy.write_row(list(row.values()))

    def _meet_checks(self, table: Relation, made: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Put rows in by way of a table without checks, where they are mended."""
        beside = sql.Identifier("pg_temp", "trueup_made")
        name = sql.Identifier(*table.qualified)
        self._connection.execute(sql.SQL("CREATE TEMP TABLE trueup_made (LIKE {})").format(name))
        self._copy(beside, table, made)
        changed = mend(self._connection, beside, table)
        self._connection.execute(
            sql.SQL("INSERT INTO {} ({c}) OVERRIDING SYSTEM VALUE SELECT {c} FROM {}").format(
                name, beside, c=columns_of(table)
            )
        )
        if changed:
            names = [c.name for c in table.columns if not c.generated]
            rows = self._connection.execute(
                sql.SQL("SELECT {} FROM {}").format(columns_of(table), beside)
            ).fetchall()
            made = [dict(zip(names, row, strict=True)) for row in rows]
        self._connection.execute("DROP TABLE pg_temp.trueup_made")
        return made

    def _parent(
        self, table: Relation, key: Constraint, n: int, made: list[dict[str, Any]]
    ) -> dict[str, Any]:
        parents = made if key.references == table.qualified else self._rows.get(key.references, [])  # type: ignore[arg-type]
        if not parents:
            return dict.fromkeys(key.columns)
        if self._is_unique(table, key.columns):
            parent = parents[n % len(parents)]
        else:
            parent = parents[self._random.randrange(len(parents))]
        return {
            child: parent[referenced]
            for child, referenced in zip(key.columns, key.referenced_columns, strict=True)
        }

    def _is_unique(self, table: Relation, columns: tuple[str, ...]) -> bool:
        return any(i.unique and set(i.columns) <= set(columns) for i in table.indexes)

    def _maker(self, table: Relation, column: Column) -> Maker:
        key = (table.qualified, column.name)
        unique = any(i.unique and column.name in i.columns for i in table.indexes)
        values = self._hints.values.get(key) or self._guarded(table, column)
        make: Maker
        if values and not unique:
            choices = list(values)
            make = lambda _: self._random.choice(choices)  # noqa: E731
        elif key in self._hints.uuids:
            make = lambda _: str(self._uuid())  # noqa: E731
        else:
            make = self._by_type(column, unique)
        if column.is_array:
            element = make
            make = lambda n: [element(n)]  # noqa: E731
        share = self._hints.shares.get(key, 0.2)
        if column.not_null or unique or not share:
            return make
        return lambda n: None if self._random.random() < share else make(n)

    def _guarded(self, table: Relation, column: Column) -> list[str]:
        """The values that a native enum or a CHECK with a list allows."""
        named = self._catalog.types.get(column.type_name) if column.type_name else None
        if named and named.labels:
            return list(named.labels)
        for constraint in table.constraints:
            if constraint.kind == "c" and constraint.columns == (column.name,):
                found = _IN_LIST.search(constraint.definition)
                if found:
                    return [v.replace("''", "'") for v in _LITERAL.findall(found["list"])]
        return []

    def _by_type(self, column: Column, unique: bool) -> Maker:
        kind = column.type.removesuffix("[]")
        base = kind.partition("(")[0]
        draw = self._random
        if base in _TEXTS:
            length = int(found[1]) if (found := _LENGTH.search(kind)) else 200
            return lambda n: f"{n}-{column.name}-{draw.randrange(1000)}"[:length]
        if base in ("integer", "bigint", "smallint", "numeric", "real", "double precision"):
            return (lambda n: n + 1) if unique else (lambda _: draw.randrange(100))
        if base.startswith("timestamp") or base == "date":
            return lambda n: _NOW - timedelta(seconds=n * 7)
        if base in ("json", "jsonb"):
            return lambda n: json.dumps({"n": n, "text": "x" * draw.randrange(200)})
        makers: dict[str, Maker] = {
            "uuid": lambda _: self._uuid(),
            "boolean": lambda _: draw.random() < 0.9,
            "bytea": lambda n: str(n).encode(),
            "interval": lambda n: timedelta(seconds=n),
            "inet": lambda n: f"10.{n >> 16 & 255}.{n >> 8 & 255}.{n & 255}",
        }
        # An unknown type gets what its input function is most likely to take.
        return makers.get(base, lambda n: str(n))

    def _uuid(self) -> uuid.UUID:
        return uuid.UUID(int=self._random.getrandbits(128), version=4)


def _required(table: Relation, column: str) -> bool:
    found = table.column(column)
    return bool(found and found.not_null)


def _parents_first(tables: list[Relation]) -> list[Relation]:
    """Each table after those that it references; a loop is cut where it is met."""
    by_name = {table.qualified: table for table in tables}
    ordered: dict[Name, Relation] = {}

    def visit(table: Relation, path: frozenset[Name]) -> None:
        if table.qualified in ordered or table.qualified in path:
            return
        for key in table.constraints:
            if key.references in by_name:
                visit(by_name[key.references], path | {table.qualified})
        ordered[table.qualified] = table

    for table in tables:
        visit(table, frozenset())
    return list(ordered.values())
