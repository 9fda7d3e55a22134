"""A schema of a thousand tables that foreign keys tie into one unit: propose, generate, window."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

import psycopg
from psycopg import sql

from bench.support import TURNS, Bench, run_python
from runner.execute import engine
from runner.ledger.files import read_migrations
from runner.propose.source import Wishes, propose_from_database

REFERENCES = 3


def measure(bench: Bench) -> None:
    """The bars of issue 6; the small size is held to the same."""
    tables = 1_000 if bench.full else 100
    keys = REFERENCES * (tables - 1)
    size = f"{tables:,} tables, {keys:,} foreign keys"
    proposed: list[float] = []
    clock: list[float] = []
    spent: list[float] = []
    bare: list[float] = []
    there: list[float] = []
    back: list[float] = []
    for _ in range(TURNS):
        database = bench.empty_database()
        dsn = bench.server.dsn(database)
        with psycopg.connect(dsn, autocommit=True) as connection:
            for number in range(tables):
                connection.execute(table(number))
        with _timed(proposed):
            propose_from_database(dsn, Wishes("sizes"), scan=False)
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            (folder / "standard.toml").write_text(standard(tables), encoding="utf-8")
            command = "-m", "runner", "generate", "--service", name, "--dsn", dsn
            taken = run_python(*command)
            spent.append(taken.process)
            clock.append(taken.clock)
            texts = [path.read_text(encoding="utf-8") for path in folder.rglob("*.sql")]
            (folder / "bare").mkdir()
            with _timed(bare, time.process_time):
                for place, text in enumerate(texts):
                    with open(f"{folder}/bare/{place}", "w", encoding="utf-8") as file:
                        file.write(text)
            migrations = read_migrations([folder / "common", folder / "window"])
            with _timed(there):
                engine.apply(dsn, migrations, to="window")
            with _timed(back):
                engine.rollback(dsn, migrations, everything=True)
        bench.server.drop_database(database)
    bench.at_most(f"propose for {size}", proposed, 20.0, "s", "no data read")
    bench.at_most(
        f"generate for {size}",
        spent,
        5.0,
        "s",
        f"{len(texts):,} files; of a processor, {median(bare):.2f} s of it to write them alone;"
        f" {median(clock):.1f} s on the clock",
    )
    bench.at_most(
        f"window of {size}",
        there,
        60.0,
        "s",
        f"{len(migrations):,} files, no rows; default max_locks_per_transaction",
    )
    bench.figure(f"window of {size}, back", back, "s")


@contextmanager
def _timed(turns: list[float], clock: Callable[[], float] = time.perf_counter) -> Iterator[None]:
    begun = clock()
    yield
    turns.append(clock() - begun)


def _parents(number: int) -> list[int]:
    """Tables before this one, so that all are one unit."""
    return [(number * 7 + place * 13 + 1) % number for place in range(REFERENCES)] if number else []


def table(number: int) -> sql.Composed:
    """A table as services have them: a key, a state, references with an index on one of them."""
    references = sql.SQL("").join(
        sql.SQL(", {} varchar(36) REFERENCES {} (id)").format(
            sql.Identifier(f"widget_{place}_id"), sql.Identifier(f"widgets_{parent}s")
        )
        for place, parent in enumerate(_parents(number))
    )
    statement = sql.SQL(
        "CREATE TABLE {table} (id varchar(36) PRIMARY KEY,"
        " state varchar(20) NOT NULL DEFAULT 'open', note text{references});"
        " CREATE INDEX ON {table} (state)"
    )
    return statement.format(table=sql.Identifier(f"widgets_{number}s"), references=references)


def rows(number: int, count: int) -> sql.Composed:
    """What fills that table; row n references the row 7 n of its parents."""
    key = sql.SQL("md5({} || ' ' || {})::uuid")
    n = sql.SQL("n * 7 % {} + 1").format(count)
    references = sql.SQL("").join(
        sql.SQL(", {}").format(key.format(parent, n)) for parent in _parents(number)
    )
    return sql.SQL(
        "INSERT INTO {} SELECT {}, CASE WHEN n % 3 = 0 THEN 'done' ELSE 'open' END,"
        " repeat('x', n % 200){} FROM generate_series(1, {}) AS n"
    ).format(
        sql.Identifier(f"widgets_{number}s"), key.format(number, sql.SQL("n")), references, count
    )


def standard(tables: int) -> str:
    """What so many of them become."""
    text = '[service]\nname = "sizes"\n[enum.State]\nvalues = ["OPEN", "DONE"]\n'
    for number in range(tables):
        uuids = ["id", *(f"widget_{place}_id" for place, _ in enumerate(_parents(number)))]
        text += (
            f'[table.widgets_{number}s]\nname = "widget_{number}"\nuuids = {uuids}\n'
            'enums.state = "State"\n'
        )
    return text
