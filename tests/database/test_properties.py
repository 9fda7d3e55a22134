"""Properties of both strategies, on random schemas with random rows and odd names."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import psycopg
from hypothesis import HealthCheck, given, settings
from psycopg import sql
from support.databases import DatabaseFactory
from support.random_schemas import Table, make, tables, write_files
from support.variants import AT_ONCE, migrations_of

from runner.catalog import Catalog, diff, read_catalog
from runner.execute import engine
from runner.generate.write import generate_service
from runner.propose.source import Wishes, propose_from_database


def rows(dsn: str, schema: list[Table], *, new: bool) -> list[list[str]]:
    with psycopg.connect(dsn) as connection:
        found = []
        for table in schema:
            name = sql.Identifier("public", table.name + ("" if new else "s"))
            kept = [c.name for c in table.columns] + ["id"]
            query = sql.SQL("SELECT {} FROM {}").format(
                sql.SQL(", ").join(map(sql.Identifier, kept)) if new else sql.SQL("*"), name
            )
            found.append(sorted(str(r) for r in connection.execute(query)))
        return found


def catalog(dsn: str) -> Catalog:
    with psycopg.connect(dsn) as connection:
        return read_catalog(connection)


def own(differences: list[Any]) -> list[str]:
    return [str(d) for d in differences if "yoyo" not in d.object]


@settings(
    max_examples=6,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(schema=tables())
def test_any_schema_goes_there_and_back(
    database_factory: DatabaseFactory, schema: list[Table]
) -> None:
    online, window = database_factory(), database_factory()
    for dsn in (online, window):
        with psycopg.connect(dsn, autocommit=True) as connection:
            make(connection, schema)
    before = {dsn: (catalog(dsn), rows(dsn, schema, new=False)) for dsn in (online, window)}
    with TemporaryDirectory() as name:
        folder = Path(name)
        write_files(folder, schema, before[online][0])
        ways = {online: migrations_of(folder, "online"), window: migrations_of(folder, "window")}
        for dsn, to in ((online, "contract"), (window, "window")):
            engine.apply(dsn, ways[dsn], to=to, settings=AT_ONCE)
        assert own(diff(catalog(window), catalog(online), column_order=False)) == []
        for dsn in (online, window):
            assert all(
                len(r) == t.rows for r, t in zip(rows(dsn, schema, new=True), schema, strict=True)
            )
            engine.rollback(dsn, ways[dsn], everything=True, settings=AT_ONCE)
            assert own(diff(before[dsn][0], catalog(dsn))) == []
            assert rows(dsn, schema, new=False) == before[dsn][1]


@settings(
    max_examples=6,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(schema=tables())
def test_what_is_proposed_for_any_schema_is_generated_and_goes_there_and_back(
    database_factory: DatabaseFactory, schema: list[Table]
) -> None:
    databases = {"online": database_factory(), "window": database_factory()}
    for dsn in databases.values():
        with psycopg.connect(dsn, autocommit=True) as connection:
            make(connection, schema)
    proposed = propose_from_database(databases["online"], Wishes("any"), scan=True)
    with TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "standard.toml").write_text(proposed.text, encoding="utf-8")
        written = generate_service(folder, dsn=databases["online"], dry=False)
        for strategy, dsn in databases.items():
            before = catalog(dsn), rows(dsn, schema, new=False)
            if not any(path.startswith(f"{strategy}/") for path in written.added):
                continue
            ways = migrations_of(folder, strategy)
            to = "contract" if strategy == "online" else "window"
            engine.apply(dsn, ways, to=to, settings=AT_ONCE)
            engine.rollback(dsn, ways, everything=True, settings=AT_ONCE)
            assert own(diff(before[0], catalog(dsn))) == []
            assert rows(dsn, schema, new=False) == before[1]
