"""Makes a random schema in a database, with its rows: ids are spelled in three ways."""

from __future__ import annotations

import random
import uuid
from collections.abc import Iterator
from typing import Any, LiteralString

import psycopg
from psycopg import sql
from psycopg.types.json import Jsonb

from support.random_schemas.kinds import Pair
from support.random_schemas.model import Column, Schema, Table, is_validated, references

_BEFORE: LiteralString = """
    CREATE TYPE public.state AS ENUM ('open', 'closed', 'on_hold');
    CREATE DOMAIN public.key AS varchar(36) CHECK (VALUE <> '');
    CREATE DOMAIN public.word AS varchar(20);
    CREATE DOMAIN public.ruled AS varchar(20) DEFAULT 'open' CHECK (VALUE <> 'gone')
        CHECK (length(VALUE) < 15);
    CREATE SCHEMA "Other side";
    CREATE FUNCTION public.quiet() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'
"""
# Each has rows in every partition.
_PARTITIONS: dict[str, tuple[LiteralString, tuple[LiteralString, ...]]] = {
    "range": ("RANGE (slot)", ("FOR VALUES FROM (0) TO (2)", "FOR VALUES FROM (2) TO (9)")),
    "list": ("LIST (slot)", ("FOR VALUES IN (0, 1)", "DEFAULT")),
    "hash": (
        "HASH (slot)",
        (
            "FOR VALUES WITH (MODULUS 2, REMAINDER 0)",
            "FOR VALUES WITH (MODULUS 2, REMAINDER 1)",
        ),
    ),
    "levels": (
        "RANGE (slot)",
        (
            "FOR VALUES FROM (0) TO (2)",
            "FOR VALUES FROM (2) TO (9) PARTITION BY LIST (slot)",
        ),
    ),
}


def make(connection: psycopg.Connection[Any], schema: Schema) -> None:
    """Make the tables, fill them, and make what stands on them."""
    connection.execute(_BEFORE)
    try:
        connection.execute(
            "CREATE COLLATION public.folded"
            " (provider = icu, locale = 'und-u-ks-level2', deterministic = false)"
        )
    except psycopg.errors.FeatureNotSupported:
        connection.execute('CREATE COLLATION public.folded FROM "C"')
    for table in schema:
        _create(connection, schema, table)
    for number, table in enumerate(schema):
        _fill(connection, schema, number, table)
    for table in schema:
        _refer(connection, schema, table)
        for column in table.columns:
            _index(connection, table, column)
        for name, thing in table.things.items():
            is_known = thing.since <= connection.info.server_version // 10000
            holes = _holes(schema, table, name)
            if thing.sql and is_known and ("parent" in holes or "{parent}" not in thing.sql):
                connection.execute(sql.SQL(thing.sql).format(**holes))


def _holes(schema: Schema, table: Table, thing: str) -> dict[str, sql.Composable]:
    own = f"{table.name[:50]}_{schema.index(table)}_{list(table.things).index(thing)}"
    other = f"{own}b"
    column = sql.Identifier(table.state.name if table.state else "id")
    parents = [far for stem, _, far in references(schema, table) if stem == "parent"]
    far = {"parent": sql.Identifier(*parents[0].old)} if parents else {}
    return far | {
        "table": sql.Identifier(*table.old),
        "schema": sql.Identifier(table.schema),
        "own": sql.Identifier(table.schema, own),
        "other": sql.Identifier(table.schema, other),
        "third": sql.Identifier(table.schema, f"{own}c"),
        "word": sql.Identifier(own),
        "key": sql.SQL("id, slot" if table.has_slot else "id"),
        "column": column,
        "native": sql.Identifier(table.native.name if table.native else "id"),
        "state": sql.SQL("{} <> 'closed'").format(column),
        "patterns": sql.SQL(
            "bpchar_pattern_ops" if table.id_type == "char(36)" else "varchar_pattern_ops"
        ),
        "partition": _partition(table, 0),
    }


def _partition(table: Table, number: int) -> sql.Identifier:
    return sql.Identifier(table.schema, f"{table.name[:50]} part {number}")


def _create(connection: psycopg.Connection[Any], schema: Schema, table: Table) -> None:
    parts: list[sql.Composable] = [_column(c) for c in table.columns]
    parts.insert(min(table.id_at, len(parts)), sql.SQL(f"id {table.id_type}"))
    if table.has_slot:
        parts.append(sql.SQL("slot integer NOT NULL DEFAULT 1"))
    for stem, _, far in references(schema, table):
        parts.append(sql.SQL(f"{stem}_id {far.id_type}"))
        if far.has_slot:
            parts.append(sql.SQL(f"{stem}_slot integer"))
    parts += [sql.SQL(thing.column) for thing in table.things.values() if thing.column]
    if table.key != "none":
        deferrable = " DEFERRABLE" if table.key == "deferrable" else ""
        key = "id, slot" if table.has_slot else "id"
        parts.append(sql.SQL(f"PRIMARY KEY ({key}){deferrable}"))
    name = sql.Identifier(*table.old)
    by, bounds = _PARTITIONS.get(table.partitions, ("", ()))
    connection.execute(
        sql.SQL("CREATE TABLE {} ({})").format(name, sql.SQL(", ").join(parts))
        + (sql.SQL(" PARTITION BY " + by) if by else sql.SQL(""))
    )
    for number, bound in enumerate(bounds):
        connection.execute(
            sql.SQL("CREATE TABLE {} PARTITION OF {} " + bound).format(
                _partition(table, number), name
            )
        )
    if table.partitions == "levels":
        connection.execute(
            sql.SQL("CREATE TABLE {} PARTITION OF {} DEFAULT").format(
                _partition(table, 2), _partition(table, 1)
            )
        )
    connection.execute(
        sql.SQL("COMMENT ON TABLE {} IS {}").format(name, sql.Literal("it's " + table.name))
    )


def _column(column: Column) -> sql.Composable:
    part: sql.Composable = sql.SQL("{} " + column.of.type).format(sql.Identifier(column.name))
    if column.not_null:
        part += sql.SQL(" NOT NULL")
    if column.default:
        part += sql.SQL(" DEFAULT " + column.of.default)
    return part


def _index(connection: psycopg.Connection[Any], table: Table, column: Column) -> None:
    method, own = column.of.method, sql.Identifier(column.name)
    if not column.indexed or not method:
        return
    unique = column.indexed == "unique" and method == "btree"
    tail = sql.SQL("({})").format(own)
    if unique:
        slot = ", slot" if table.has_slot else ""
        tail = sql.SQL("({}, id" + slot + ")").format(own)
        if column.kind == "renamed":
            return
    if column.indexed == "function" and column.of.type == "varchar(20)":
        tail = sql.SQL("(upper({}))").format(own)
    if column.indexed == "covering" and method == "btree" and column.kind != "renamed":
        tail += sql.SQL(" INCLUDE (id)")
    if column.indexed == "partial" and column.of.words:
        tail += sql.SQL(" WHERE {} <> 'closed'").format(own)
    connection.execute(
        sql.SQL("CREATE UNIQUE INDEX" if unique else "CREATE INDEX")
        + sql.SQL(" ON {} USING " + method + " ").format(sql.Identifier(*table.old))
        + tail
    )


def _refer(connection: psycopg.Connection[Any], schema: Schema, table: Table) -> None:
    for stem, link, far in references(schema, table):
        here, there = (
            (f"{stem}_id, {stem}_slot", "id, slot") if far.has_slot else (f"{stem}_id", "id")
        )
        connection.execute(
            sql.SQL(
                f"ALTER TABLE {{}} ADD FOREIGN KEY ({here}) REFERENCES {{}} ({there})"
                f" ON DELETE {link.on_delete} ON UPDATE {link.on_update} {link.deferrable}"
                + ("" if is_validated(table, link) else " NOT VALID")
            ).format(sql.Identifier(*table.old), sql.Identifier(*far.old))
        )


def key_of(number: int, row: int) -> uuid.UUID:
    """The id of a row: the same in every database."""
    return uuid.UUID(int=random.Random(f"{number} {row}").getrandbits(128))


def spelled(table: Table, key: uuid.UUID, row: int) -> str:
    """How the old contract spells an id; without a key only in the one way that can come back."""
    return str(key) if table.key == "none" else (str(key), key.hex, str(key).upper())[row % 3]


def pairs(table: Table, column: Column) -> tuple[Pair, ...]:
    """The values of a column that a table can hold."""
    return column.of.values + (() if table.key == "none" else column.of.odd)


def adapted(column: Column, value: Any) -> Any:
    """A value as psycopg takes it."""
    return Jsonb(value) if column.of.is_json and value is not None else value


def _fill(connection: psycopg.Connection[Any], schema: Schema, number: int, table: Table) -> None:
    for row in range(table.rows):
        values = dict(_values(schema, number, table, row))
        connection.execute(
            sql.SQL("INSERT INTO {} ({}) VALUES ({})").format(
                sql.Identifier(*table.old),
                sql.SQL(", ").join(map(sql.Identifier, values)),
                sql.SQL(", ").join(map(sql.Literal, values.values())),
            )
        )


def _values(schema: Schema, number: int, table: Table, row: int) -> Iterator[tuple[str, Any]]:
    yield "id", spelled(table, key_of(number, row), row)
    for c in table.columns:
        known = pairs(table, c)
        value = known[row % len(known)][0] if c.not_null or row % 4 else None
        yield c.name, adapted(c, value)
    if table.has_slot:
        yield "slot", row % 4
    for stem, link, far in references(schema, table):
        there = row % far.rows if far.rows else None
        if not is_validated(table, link) and row == 0:
            yield f"{stem}_id", str(uuid.UUID(int=7))
            if far.has_slot:
                yield f"{stem}_slot", 1
        elif there is not None and row % 5 and (table.key != "none" or there % 3 == 0):
            yield f"{stem}_id", spelled(far, key_of(link.to, there), there)
            if far.has_slot:
                yield f"{stem}_slot", there % 4
