"""Random schemas for properties: odd names, all kinds of columns, foreign keys, rows."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any, LiteralString

import psycopg
from hypothesis import strategies as st
from psycopg import sql

from runner.catalog import Catalog
from runner.generate import generate
from runner.standard import EnumStandard, Standard, TableStandard

STATES = EnumStandard("State", ("OPEN", "CLOSED", "ON_HOLD"))
# Odd names are normal input.
WORDS = ("plan", "Plan", "order", "two words", 'quo"ted', "per%cent", "ünï", "x" * 58)


@dataclass(frozen=True)
class Column:
    kind: str
    name: str
    not_null: bool
    default: bool
    indexed: str


@dataclass(frozen=True)
class Table:
    name: str
    columns: tuple[Column, ...]
    parent: int | None
    on_delete: str
    keyed: bool
    rows: int
    extras: frozenset[str] = frozenset()

    @property
    def state(self) -> Column | None:
        """A column of one enum value, for what stands on values."""
        return next((c for c in self.columns if c.kind in {"state", "native"}), None)


# What a table may have beside its columns.
EXTRAS = (
    "identity",
    "generated",
    "view",
    "stored view",
    "policy",
    "statistics",
    "check",
    "trigger",
)


def columns() -> st.SearchStrategy[tuple[Column, ...]]:
    column = st.builds(
        Column,
        kind=st.sampled_from(["text", "int", "state", "native", "states", "note"]),
        name=st.sampled_from(WORDS),
        not_null=st.booleans(),
        default=st.booleans(),
        indexed=st.sampled_from(["", "plain", "partial", "covering"]),
    )
    return st.lists(column, max_size=4, unique_by=lambda c: c.name).map(tuple)


def tables() -> st.SearchStrategy[list[Table]]:
    table = st.builds(
        Table,
        name=st.sampled_from(WORDS),
        columns=columns(),
        parent=st.none() | st.integers(0, 2),
        on_delete=st.sampled_from(["NO ACTION", "CASCADE", "SET NULL"]),
        keyed=st.booleans(),
        rows=st.integers(0, 12),
        extras=st.frozensets(st.sampled_from(EXTRAS), max_size=4),
    )
    return st.lists(table, min_size=1, max_size=3, unique_by=lambda t: t.name)


TYPES = {
    "text": "varchar(40)",
    "int": "integer",
    "state": "varchar(20)",
    "native": "public.state",
    "states": "varchar[]",
    "note": "text",
}
DEFAULTS = {
    "text": "'x'",
    "int": "7",
    "state": "'open'",
    "native": "'open'",
    "states": "'{open}'",
    "note": "now()::text",
}


MADE: dict[str, LiteralString] = {
    "identity": "number integer GENERATED ALWAYS AS IDENTITY",
    "generated": "n integer DEFAULT 3, twice integer GENERATED ALWAYS AS (n * 2) STORED",
}


def stand(connection: psycopg.Connection[Any], table: Table) -> None:
    """Make what stands on a table's columns."""
    name = sql.Identifier("public", table.name + "s")
    state = sql.SQL("true")
    if table.state:
        state = sql.SQL("{} <> 'closed'").format(sql.Identifier(table.state.name))  # type: ignore[assignment]
    statements: dict[str, LiteralString] = {
        "view": "CREATE VIEW {view} AS SELECT * FROM {table} WHERE {state}",
        "stored view": "CREATE MATERIALIZED VIEW {stored} AS SELECT id FROM {table} WHERE {state}",
        "policy": "CREATE POLICY own ON {table} USING ({state});"
        " ALTER TABLE {table} ENABLE ROW LEVEL SECURITY",
        "statistics": "CREATE STATISTICS {statistics} ON id, (length(id)) FROM {table}",
        "check": "ALTER TABLE {table} ADD CHECK ({state} OR id IS NOT NULL)",
        "trigger": "CREATE TRIGGER quiet AFTER INSERT OR UPDATE ON {table} FOR EACH ROW"
        " WHEN (NEW.id IS NULL) EXECUTE FUNCTION public.quiet()",
    }
    for extra in sorted(table.extras & statements.keys()):
        connection.execute(
            sql.SQL(statements[extra]).format(
                table=name,
                state=state,
                view=sql.Identifier("public", table.name + "_v"),
                stored=sql.Identifier("public", table.name + "_m"),
                statistics=sql.Identifier("public", table.name + "_t"),
            )
        )


def make(connection: psycopg.Connection[Any], schema: list[Table]) -> None:
    """Make the tables and fill them; ids are spelled in three ways."""
    connection.execute("CREATE TYPE public.state AS ENUM ('open', 'closed', 'on_hold')")
    connection.execute(
        "CREATE FUNCTION public.quiet() RETURNS trigger LANGUAGE plpgsql"
        " AS 'BEGIN RETURN NULL; END'"
    )
    ids: dict[int, list[str]] = {}
    for number, table in enumerate(schema):
        name = sql.Identifier("public", table.name + "s")
        parts: list[sql.Composable] = [sql.SQL("id varchar(36) PRIMARY KEY")]
        for c in table.columns:
            part: sql.Composable = sql.SQL("{} {}").format(
                sql.Identifier(c.name), sql.SQL(TYPES[c.kind])
            )
            if c.not_null:
                part += sql.SQL(" NOT NULL")
            if c.default:
                part += sql.SQL(" DEFAULT " + DEFAULTS[c.kind])
            parts.append(part)
        parent = table.parent if table.parent is not None and table.parent <= number else None
        if parent is not None:
            parts.append(
                sql.SQL("parent_id varchar(36) REFERENCES {} (id) ON DELETE {}").format(
                    sql.Identifier("public", schema[parent].name + "s"),
                    sql.SQL(table.on_delete),
                )
            )
        parts += [sql.SQL(part) for extra, part in MADE.items() if extra in table.extras]
        connection.execute(sql.SQL("CREATE TABLE {} ({})").format(name, sql.SQL(", ").join(parts)))
        connection.execute(
            sql.SQL("COMMENT ON TABLE {} IS {}").format(name, sql.Literal("it's " + table.name))
        )
        for c in table.columns:
            if not c.indexed or c.kind in {"states"}:
                continue
            tail = sql.SQL("({})").format(sql.Identifier(c.name))
            if c.indexed == "covering":
                tail += sql.SQL(" INCLUDE (id)")
            if c.indexed == "partial" and c.kind in {"state", "native"}:
                tail += sql.SQL(" WHERE {} <> 'closed'").format(sql.Identifier(c.name))
            connection.execute(sql.SQL("CREATE INDEX ON {} {}").format(name, tail))
        ids[number] = []
        for row in range(table.rows):
            key = uuid.uuid4()
            ids[number].append((str(key), key.hex, str(key).upper())[row % 3])
            values: dict[str, object] = {"id": ids[number][-1]}
            for c in table.columns:
                value: dict[str, object] = {
                    "text": f"t{row}",
                    "int": row,
                    "state": ("open", "Closed", "ON_HOLD")[row % 3],
                    "native": ("open", "closed", "on_hold")[row % 3],
                    "states": [["open", "Closed"], []][row % 2],
                    "note": "n" * row,
                }
                values[c.name] = value[c.kind] if c.not_null or row % 4 else None
            if parent is not None and ids[parent]:
                values["parent_id"] = ids[parent][row % len(ids[parent])] if row % 5 else None
            connection.execute(
                sql.SQL("INSERT INTO {} ({}) VALUES ({})").format(
                    name,
                    sql.SQL(", ").join(map(sql.Identifier, values)),
                    sql.SQL(", ").join(map(sql.Literal, values.values())),
                )
            )
    for table in schema:
        stand(connection, table)


def standard(schema: list[Table]) -> Standard:
    return Standard(
        "random",
        "public",
        tuple(
            TableStandard(
                "public",
                t.name + "s",
                t.name,
                ("id", "parent_id") if t.parent is not None and t.parent <= number else ("id",),
                {c.name: STATES for c in t.columns if c.kind in {"state", "native", "states"}},
            )
            for number, t in enumerate(schema)
        ),
    )


def write_files(folder: Path, schema: list[Table], catalog: Catalog) -> None:
    """Generate the files of both strategies below a folder."""
    for file in generate(standard(schema), catalog, baseline=None).files:
        (folder / file.folder).mkdir(parents=True, exist_ok=True)
        (folder / file.folder / f"{file.id}.sql").write_text(file.sql, encoding="utf-8")
        rollback = folder / file.folder / f"{file.id}.rollback.sql"
        rollback.write_text(file.rollback, encoding="utf-8")
