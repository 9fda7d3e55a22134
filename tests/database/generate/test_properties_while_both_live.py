"""Whoever writes after whichever step, by whichever contract: both see the same rows."""

from __future__ import annotations

import random
import time
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import psycopg
from hypothesis import given
from hypothesis import strategies as st
from psycopg import sql
from support.databases import DatabaseFactory
from support.random_schemas import drawn
from support.random_schemas.contract import refusals, standard, window_reasons, write_files
from support.random_schemas.kinds import Pair
from support.random_schemas.make import adapted, make, pairs, spelled
from support.random_schemas.model import SCHEMAS, Column, Schema, Table, references, schemas
from support.variants import AT_ONCE, Service, migrations_of

from runner.catalog import read_catalog
from runner.execute import engine

Connection = psycopg.Connection[Any]


@dataclass
class Row:
    """A row that was written.

    Args:
        values: what each column holds, as the old and as the new contract says it.
        kept: by column, what the old one said last, where a column or contract keeps that.
    """

    table: Table
    key: uuid.UUID
    values: dict[str, Pair]
    kept: dict[str, Pair] = field(default_factory=dict)

    def old(self, column: Column, new: Any) -> Any:
        """What the old contract sees once the new one has written a value."""
        old, meant = self.kept.get(column.name, (None, None))
        if new is None:
            return None
        return old if meant == new else column.of.old(new)

    def keep(self, columns: Iterable[Column]) -> None:
        """What the old contract has said goes into the columns that keep it."""
        for column in columns:
            if column.keeps:
                self.kept[column.name] = self.values[column.name]


@dataclass
class Rows:
    """What the rows that were written must be."""

    schema: Schema
    random: random.Random
    written: list[Row] = field(default_factory=list)
    is_contracted: bool = False

    def _name(self, table: Table, side: str) -> sql.Identifier:
        if side == "new" and table.new == table.old and not self.is_contracted:
            place = standard(self.schema).transition(table.schema)
            return sql.Identifier(place, table.new.name)
        return sql.Identifier(*(table.old if side == "old" else table.new))

    def write(self, connection: Connection, side: str) -> None:
        """Insert a row, change one or delete one, by one contract."""
        table = self.random.choice(self.schema)
        mine = [row for row in self.written if row.table is table]
        what = self.random.choice(["insert", "update", "delete"]) if mine else "insert"
        if what == "insert":
            self._insert(connection, side, table)
        elif what == "update":
            self._update(connection, side, self.random.choice(mine))
        elif not any(far is table for t in self.schema for _, _, far in references(self.schema, t)):
            row = self.random.choice(mine)
            query = sql.SQL("DELETE FROM {} WHERE {}").format(
                self._name(table, side), _is(side, row)
            )
            assert connection.execute(query).rowcount == 1
            self.written.remove(row)

    def _insert(self, connection: Connection, side: str, table: Table) -> None:
        key = uuid.UUID(int=self.random.getrandbits(128))
        old = spelled(table, key, self.random.randrange(3)) if side == "old" else str(key)
        values: dict[str, Pair] = {"id": (old, key)}
        values |= {c.name: self._value(table, c, side) for c in table.columns}
        if table.has_slot:
            values["slot"] = (slot := self.random.randrange(4), slot)
        for stem, _, far in references(self.schema, table):
            # Without a key of its own a row cannot keep how its reference is spelled.
            known = [r for r in self.written if r.table is far and _can_be_named(table, r)]
            if known:
                there = self.random.choice(known).values
                values[f"{stem}_id"] = there["id"]
                if far.has_slot:
                    values[f"{stem}_slot"] = there["slot"]
        names = {c.name: c for c in table.columns}
        said = {
            _called(names.get(name), name, side): _said(names.get(name), pair, side)
            for name, pair in values.items()
        }
        connection.execute(
            sql.SQL("INSERT INTO {} ({}) VALUES ({})").format(
                self._name(table, side),
                sql.SQL(", ").join(map(sql.Identifier, said)),
                sql.SQL(", ").join(map(sql.Literal, said.values())),
            )
        )
        row = Row(table, key, values)
        if side == "old":
            row.keep(table.columns)
        self.written.append(row)

    def _value(self, table: Table, column: Column, side: str) -> Pair:
        if not column.not_null and self.random.random() < 0.2:
            return None, None
        old, new = self.random.choice(pairs(table, column))
        return (old, new) if side == "old" else (column.of.old(new), new)

    def _update(self, connection: Connection, side: str, row: Row) -> None:
        columns = [c for c in row.table.columns if self.random.random() < 0.6]
        if not columns:
            return
        values = {c.name: self._value(row.table, c, side) for c in columns}
        changes = sql.SQL(", ").join(
            sql.SQL("{} = {}").format(
                sql.Identifier(_called(c, c.name, side)),
                sql.Literal(_said(c, values[c.name], side)),
            )
            for c in columns
        )
        query = sql.SQL("UPDATE {} SET {} WHERE {}").format(
            self._name(row.table, side), changes, _is(side, row)
        )
        assert connection.execute(query).rowcount == 1
        for column in columns:
            was, (old, new) = row.values[column.name], values[column.name]
            # What the new contract leaves as it is stays spelled as it was.
            if side == "new":
                old = was[0] if new == was[1] else row.old(column, new)
            row.values[column.name] = (old, new)
            if side == "old" and old != was[0]:
                row.keep([column])

    def contracted(self) -> None:
        """From now on there is no old side; what it held is kept."""
        self.is_contracted = True
        for row in self.written:
            row.kept = row.values | row.kept

    def rolled_back(self) -> None:
        """The old side is what was kept, where the new one still means that; else what it gives."""
        for row in self.written:
            for column in row.table.columns:
                _, new = row.values[column.name]
                row.values[column.name] = (row.old(column, new), new)

    def check(self, connection: Connection, side: str) -> None:
        """Every row that was written is there, as this contract says it."""
        for row in self.written:
            query = sql.SQL("SELECT {} FROM {} WHERE {}").format(
                sql.SQL(", ").join(_shown(row, side)), self._name(row.table, side), _is(side, row)
            )
            found = connection.execute(query).fetchall()
            expected = tuple(pair[side == "new"] for pair in row.values.values())
            assert found == [expected], (side, row.table.old)


def _is(side: str, row: Row) -> sql.Composable:
    column = sql.SQL("id::text::uuid" if side == "old" else "id")
    return column + sql.SQL(" = {}").format(sql.Literal(row.key))


def _can_be_named(table: Table, row: Row) -> bool:
    return table.key != "none" or row.values["id"][0] == str(row.key)


def _called(column: Column | None, name: str, side: str) -> str:
    return column.new_name if column and side == "new" else name


def _said(column: Column | None, pair: Pair, side: str) -> Any:
    value = pair[side == "new"]
    return adapted(column, value) if column else value


def _shown(row: Row, side: str) -> Iterator[sql.Composable]:
    columns = {c.name: c for c in row.table.columns}
    for name in row.values:
        column = columns.get(name)
        shown = sql.Identifier(_called(column, name, side))
        if side == "old" and (name in ("id", "parent_id", "other_id")):
            yield sql.SQL("{}::text").format(shown)
        elif column and column.of.type.startswith("public.state"):
            yield sql.SQL("{}::text" + "[]" * column.of.type.endswith("[]")).format(shown)
        else:
            yield shown


@drawn
@given(schema=schemas(only_held=True), seed=st.integers(0, 2**32))
def test_both_contracts_write_and_see_each_other_after_every_step(
    database_factory: DatabaseFactory, schema: Schema, seed: int
) -> None:
    dsn = database_factory()
    with psycopg.connect(dsn, autocommit=True) as connection, TemporaryDirectory() as name:
        version = connection.info.server_version // 10000
        if refusals(schema, version) or window_reasons(schema, version):
            return
        make(connection, schema)
        write_files(Path(name), schema, read_catalog(connection, SCHEMAS))
        rows = Rows(schema, random.Random(seed))
        migrations = migrations_of(Path(name), "online")
        expanded = max(m.id for m in migrations if m.phase == "expand")
        for migration in (m for m in migrations if m.id >= expanded and m.phase != "contract"):
            engine.apply(dsn, migrations, to=migration.id, settings=AT_ONCE)
            for side in random.Random(seed).sample(["old", "new"] * 2, 4):
                rows.write(connection, side)
                rows.check(connection, "old")
                rows.check(connection, "new")
        if version < 16:
            # A session that stays counts what it did a second later, with its next statement.
            time.sleep(1.1)
            connection.execute("SELECT 1")
            time.sleep(1)
        Service(dsn, Path(name)).up("contract")
        rows.contracted()
        for _ in range(4):
            rows.write(connection, "new")
            rows.check(connection, "new")
        engine.rollback(dsn, migrations, everything=True, settings=AT_ONCE)
        rows.rolled_back()
        rows.check(connection, "old")
    database_factory.drop(but_templates=True)
