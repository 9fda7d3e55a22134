"""The preflight against sequential scans that evaluate the same expressions."""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import median

import psycopg
from psycopg import sql
from psycopg.rows import tuple_row

from bench.support import SERVICE, TURNS, Bench, ratios
from runner.catalog import Catalog, read_catalog
from runner.generate.changes import plan_changes
from runner.generate.model import TableChange
from runner.preflight import check
from runner.preflight.data import column_keys
from runner.preflight.reading import expressions, table
from runner.preflight.rules import UUID_PATTERN
from runner.standard import load_standard

STANDARD = load_standard(SERVICE / "standard.toml")


def measure(bench: Bench) -> None:
    """Bar 5 of issue 4."""
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
                _preflight(connection),
                _scans(connection, _outcomes),
                _scans(connection, _conditions),
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


def _preflight(connection: psycopg.Connection) -> float:
    begun = time.perf_counter()
    report = check(connection, STANDARD)
    taken = time.perf_counter() - begun
    if not report.ready:
        raise RuntimeError(f"the rows that were filled are not clean: {report.stops}")
    return taken


Expressions = Callable[[psycopg.Connection, TableChange, Catalog], list[str]]


def _scans(connection: psycopg.Connection, expressions_of: Expressions) -> float:
    catalog = read_catalog(connection)
    taken = 0.0
    for change in plan_changes(STANDARD, catalog):
        wanted = expressions(expressions_of(connection, change, catalog))
        query = sql.SQL("SELECT count(*), {} FROM {}").format(wanted, table(change.old))
        begun = time.perf_counter()
        connection.execute(query)
        taken += time.perf_counter() - begun
    return taken


def _outcomes(connection: psycopg.Connection, change: TableChange, catalog: Catalog) -> list[str]:
    standard = next(t for t in STANDARD.tables if t.old == change.old.name)
    keys = column_keys(connection, change, standard, catalog, {})
    return [f"max({key.outcome})" for key in keys]


def _conditions(_: psycopg.Connection, change: TableChange, _catalog: Catalog) -> list[str]:
    uuids = [c.name for c in change.columns if c.new_type == "uuid"]
    others = [r.condition for c in change.columns if c.name not in uuids for r in c.refusals]
    conditions = [*(f"{name} !~* '{UUID_PATTERN}'" for name in uuids), *others]
    return [f"count(*) FILTER (WHERE {condition})" for condition in conditions]
