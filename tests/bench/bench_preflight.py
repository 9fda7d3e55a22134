"""The preflight against sequential scans that evaluate the same expressions."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import psycopg
from psycopg import sql
from psycopg.rows import tuple_row

from bench import bench_sizes
from bench.support import SERVICE, TURNS, Bench, ratios
from runner.catalog import Catalog, read_catalog
from runner.generate.changes import plan_changes
from runner.generate.model import TableChange
from runner.preflight import check
from runner.preflight.data import column_keys
from runner.preflight.reading import expressions, table
from runner.preflight.rules import UUID_PATTERN
from runner.standard import load_standard
from runner.standard.model import Standard, TableStandard

STANDARD = load_standard(SERVICE / "standard.toml")
ROWS = 2_000  # of each of many tables


def measure(bench: Bench) -> None:
    """The bars of issues 4 and 19."""
    _large_tables(bench)
    _many_tables(bench)


def _large_tables(bench: Bench) -> None:
    requests = bench.size(full=2_000_000, small=600_000)
    models = bench.size(full=1_000_000, small=1_000)
    with (
        bench.database(models=models, requests=requests) as dsn,
        psycopg.connect(dsn, autocommit=True, row_factory=tuple_row) as connection,
    ):
        # As the preflight: compiling takes longer than it saves.
        connection.execute("SET jit = off")
        # In turn, so that what else the machine does meets all of them.
        turns = [
            (
                _preflight(connection, STANDARD),
                _scans(connection, STANDARD, _outcomes),
                _scans(connection, STANDARD, _conditions),
            )
            for _ in range(TURNS)
        ]
    whole, same, files = zip(*turns, strict=True)
    rows = models + requests
    taken = median(whole)
    bench.at_most(
        "check to one scan a table of the same expressions",
        ratios(whole, same),
        1.5,
        "x",
        f"{models:,} models, {requests:,} requests; {taken:.2f} s, catalog, references and samples"
        f" included, to {median(same):.2f} s; {rows / taken:,.0f} rows/s",
    )
    bench.figure(
        "check to one scan a table of the files' own conditions",
        ratios(whole, files),
        "x",
        f"{taken:.2f} s to {median(files):.2f} s: what the files ask costs a regular expression"
        " a uuid",
    )


def _many_tables(bench: Bench) -> None:
    tables = 1_000 if bench.full else 100
    database = bench.empty_database()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "standard.toml"
        path.write_text(bench_sizes.standard(tables), encoding="utf-8")
        standard = load_standard(path)
    with psycopg.connect(
        bench.server.dsn(database), autocommit=True, row_factory=tuple_row
    ) as connection:
        for number in range(tables):
            connection.execute(bench_sizes.table(number))
            connection.execute(bench_sizes.rows(number, ROWS))
        connection.execute("VACUUM (FREEZE, ANALYZE)")
        connection.execute("SET jit = off")
        turns = [
            (_preflight(connection, standard), _scans(connection, standard, _outcomes))
            for _ in range(TURNS)
        ]
    bench.server.drop_database(database)
    whole, same = zip(*turns, strict=True)
    bench.at_most(
        f"check of {tables:,} tables to one scan a table of the same expressions",
        ratios(whole, same),
        1.2,
        "x",
        f"{ROWS:,} rows each, {bench_sizes.REFERENCES} foreign keys; {median(whole):.2f} s,"
        f" catalog, references and samples included, to {median(same):.2f} s",
    )


def _preflight(connection: psycopg.Connection, standard: Standard) -> float:
    begun = time.perf_counter()
    report = check(connection, standard)
    taken = time.perf_counter() - begun
    if not report.ready:
        raise RuntimeError(f"the rows that were filled are not clean: {report.stops}")
    return taken


Expressions = Callable[[psycopg.Connection, TableChange, TableStandard, Catalog], list[str]]


def _scans(connection: psycopg.Connection, standard: Standard, of: Expressions) -> float:
    catalog = read_catalog(connection)
    tables = {t.old: t for t in standard.tables}
    taken = 0.0
    for change in plan_changes(standard, catalog):
        wanted = expressions(of(connection, change, tables[change.old.name], catalog))
        query = sql.SQL("SELECT count(*), {} FROM {}").format(wanted, table(change.old))
        begun = time.perf_counter()
        connection.execute(query)
        taken += time.perf_counter() - begun
    return taken


def _outcomes(
    connection: psycopg.Connection, change: TableChange, standard: TableStandard, catalog: Catalog
) -> list[str]:
    keys = column_keys(connection, change, standard, catalog, {})
    return [f"max({key.outcome})" for key in keys]


def _conditions(
    _: psycopg.Connection, change: TableChange, _standard: TableStandard, _catalog: Catalog
) -> list[str]:
    uuids = [c.name for c in change.columns if c.new_type == "uuid"]
    others = [r.condition for c in change.columns if c.name not in uuids for r in c.refusals]
    conditions = [*(f"{name} !~* '{UUID_PATTERN}'" for name in uuids), *others]
    return [f"count(*) FILTER (WHERE {condition})" for condition in conditions]
