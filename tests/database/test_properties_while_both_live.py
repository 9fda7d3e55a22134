"""Whoever writes after whichever step, by whichever contract: both see the same rows."""

from __future__ import annotations

import random
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import psycopg
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg import sql
from support.databases import DatabaseFactory
from support.random_schemas import STATES, Column, Table, make, tables, write_files
from support.variants import AT_ONCE, migrations_of

from runner.catalog import read_catalog
from runner.execute import engine

ENUMS = {"state", "native", "states"}
Connection = psycopg.Connection[Any]


@dataclass
class Rows:
    """What the rows that were written must be, in the words of the new contract."""

    schema: list[Table]
    random: random.Random
    written: dict[tuple[int, uuid.UUID], dict[str, Any]] = field(default_factory=dict)

    def write(self, connection: Connection, side: str) -> None:
        """Insert a row, change one or delete one, by one contract."""
        number = self.random.randrange(len(self.schema))
        mine = [key for n, key in self.written if n == number]
        what = self.random.choice(["insert", "update", "delete"]) if mine else "insert"
        if what == "insert":
            self._insert(connection, side, number)
        elif what == "update":
            self._update(connection, side, number, self.random.choice(mine))
        elif not any(self.parent(n) == number for n in range(len(self.schema))):
            key = self.random.choice(mine)
            condition = self._condition(side, key)
            query = sql.SQL("DELETE FROM {} WHERE {}").format(self.name(number, side), condition)
            assert connection.execute(query).rowcount == 1
            del self.written[number, key]

    def parent(self, number: int) -> int | None:
        """The table that a table references."""
        parent = self.schema[number].parent
        return parent if parent is not None and parent <= number else None

    def name(self, number: int, side: str) -> sql.Identifier:
        """The table's name under a contract."""
        return sql.Identifier("public", self.schema[number].name + ("s" if side == "old" else ""))

    def _condition(self, side: str, key: uuid.UUID) -> sql.Composable:
        column = sql.SQL("id::uuid" if side == "old" else "id")
        return column + sql.SQL(" = {}").format(sql.Literal(key))

    def _value(self, column: Column) -> Any:
        states = [self.random.choice(STATES.values) for _ in range(2)]
        if not column.not_null and self.random.random() < 0.2:
            return None
        return {
            "text": f"w{self.random.randrange(1000)}",
            "int": self.random.randrange(1000),
            "state": states[0],
            "native": states[0],
            "states": states,
            "note": "n" * self.random.randrange(50),
        }[column.kind]

    def _said(self, column: Column, value: Any, side: str) -> Any:
        if value is None or column.kind not in ENUMS or side == "new":
            return value
        return [v.lower() for v in value] if column.kind == "states" else value.lower()

    def _insert(self, connection: Connection, side: str, number: int) -> None:
        key = uuid.UUID(int=self.random.getrandbits(128))
        values: dict[str, Any] = {c.name: self._value(c) for c in self.schema[number].columns}
        said = {c.name: self._said(c, values[c.name], side) for c in self.schema[number].columns}
        parent = self.parent(number)
        values["id"] = key
        said["id"] = key if side == "new" else str(key)
        if parent is not None:
            known = [key for n, key in self.written if n == parent]
            values["parent_id"] = self.random.choice(known) if known else None
            said["parent_id"] = values["parent_id"]
            if side == "old" and known:
                said["parent_id"] = str(values["parent_id"])
        query = sql.SQL("INSERT INTO {} ({}) VALUES ({})").format(
            self.name(number, side),
            sql.SQL(", ").join(map(sql.Identifier, said)),
            sql.SQL(", ").join(map(sql.Literal, said.values())),
        )
        connection.execute(query)
        self.written[number, key] = values

    def _update(self, connection: Connection, side: str, number: int, key: uuid.UUID) -> None:
        columns = [c for c in self.schema[number].columns if self.random.random() < 0.6]
        if not columns:
            return
        values = {c.name: self._value(c) for c in columns}
        changes = sql.SQL(", ").join(
            sql.SQL("{} = {}").format(
                sql.Identifier(c.name), sql.Literal(self._said(c, values[c.name], side))
            )
            for c in columns
        )
        query = sql.SQL("UPDATE {} SET {} WHERE {}").format(
            self.name(number, side), changes, self._condition(side, key)
        )
        assert connection.execute(query).rowcount == 1
        self.written[number, key].update(values)

    def check(self, connection: Connection, side: str) -> None:
        """Every row that was written is there, as this contract says it."""
        for (number, key), values in self.written.items():
            query = sql.SQL("SELECT {} FROM {} WHERE {}").format(
                sql.SQL(", ").join(
                    sql.SQL("{}::text[]" if kind == "states" else "{}::text").format(
                        sql.Identifier(name)
                    )
                    for name, kind in self._kinds(number)
                ),
                self.name(number, side),
                self._condition(side, key),
            )
            row = connection.execute(query).fetchone()
            assert row is not None, (side, number, key)
            expected = []
            for name, kind in self._kinds(number):
                value = values[name]
                if kind in ENUMS:
                    value = self._said(Column(kind, name, False, False, ""), value, side)
                expected.append(value if value is None or kind == "states" else str(value))
            assert list(row) == expected, (side, self.schema[number].name)

    def _kinds(self, number: int) -> list[tuple[str, str]]:
        kinds = [(c.name, c.kind) for c in self.schema[number].columns]
        return [
            *kinds,
            ("id", "id"),
            *([("parent_id", "id")] if self.parent(number) is not None else []),
        ]


@settings(
    max_examples=6,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(schema=tables(), seed=st.integers(0, 2**32))
def test_both_contracts_write_and_see_each_other_after_every_step(
    database_factory: DatabaseFactory, schema: list[Table], seed: int
) -> None:
    dsn = database_factory()
    with psycopg.connect(dsn, autocommit=True) as connection, TemporaryDirectory() as name:
        make(connection, schema)
        write_files(Path(name), schema, read_catalog(connection))
        rows = Rows(schema, random.Random(seed))
        migrations = migrations_of(Path(name), "online")
        expanded = max(m.id for m in migrations if m.phase == "expand")
        for migration in (m for m in migrations if m.id >= expanded and not m.on_request):
            engine.apply(dsn, migrations, to=migration.id, settings=AT_ONCE)
            for side in random.Random(seed).sample(["old", "new"] * 2, 4):
                rows.write(connection, side)
                rows.check(connection, "old")
                rows.check(connection, "new")
        engine.apply(dsn, migrations, to="contract", settings=AT_ONCE)
        for _ in range(4):
            rows.write(connection, "new")
            rows.check(connection, "new")
        engine.rollback(dsn, migrations, everything=True, settings=AT_ONCE)
        rows.check(connection, "old")
