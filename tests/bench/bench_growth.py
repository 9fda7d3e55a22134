"""Whether rows cost the same however many there are: the online chain on tables of several sizes.

What the same chain takes on a nearly empty table is taken off, so that a rate is one of rows.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import LiteralString

import psycopg

from bench.support import SERVICE, Bench, fill

FULL = (500_000, 2_000_000, 8_000_000, 20_000_000)
SMALL = (0.1, 0.25, 0.5, 1.0)  # of 2,000,000 rows, or of BENCH_ROWS
# The phases whose work grows with the rows, each a run of the command.
PHASES = ("backfill", "enforce", "contract")
SPREAD = 1.15  # of the rates, of WAL and of disk: the most to the least


@dataclass(frozen=True)
class Grown:
    """What the chain cost on a table of one size.

    Args:
        seconds: on the clock, by phase.
        memory: of the runner's largest process, in bytes.
        wal: bytes that were written.
        most: bytes of the table and its indexes at their largest, after enforce.
        before: bytes of both before the chain.
    """

    seconds: dict[str, float]
    memory: int
    wal: int
    most: int
    before: int


def measure(bench: Bench) -> None:
    """The bars of issue 19 on growth; each size is measured once."""
    fixed = _chain(bench, 1)
    most = bench.size(full=FULL[-1], small=2_000_000)
    sizes = FULL if bench.full else tuple(int(share * most) for share in SMALL)
    grown = {rows: _chain(bench, rows) for rows in sizes}
    named = f"{sizes[0]:,} to {sizes[-1]:,} rows"
    rates = {rows: rows / _beyond(g, fixed, *PHASES) for rows, g in grown.items()}
    wal = {rows: (g.wal - fixed.wal) / rows for rows, g in grown.items()}
    disk = {rows: (g.most - g.before) / rows for rows, g in grown.items()}
    memory = {rows: g.memory / 2**20 for rows, g in grown.items()}
    bench.at_most(
        f"rows a second, the fastest of {named} to the slowest",
        _spread(rates),
        SPREAD,
        "x",
        "; ".join(f"{rows:,}: {rate:,.0f}" for rows, rate in rates.items()),
        small=False,
    )
    bench.at_most("WAL a row, the same", _spread(wal), SPREAD, "x", _listed(wal, "bytes"))
    bench.at_most("disk a row, the same", _spread(disk), SPREAD, "x", _listed(disk, "bytes more"))
    bench.at_most(
        "memory of the runner, the same", _spread(memory), 1.05, "x", _listed(memory, "MB")
    )
    for phase in PHASES:
        by_phase = {rows: rows / _beyond(g, fixed, phase) for rows, g in grown.items()}
        bench.curve("growth", "rows", f"{phase}: rows a second", by_phase)
    bench.curve("growth", "rows", "WAL: bytes a row", wal)
    bench.curve("growth", "rows", "disk: bytes more a row", disk)
    bench.curve("growth", "rows", "memory of the runner: MB", memory)


def _chain(bench: Bench, rows: int) -> Grown:
    """The chain on a table of so many rows, as an operator runs it."""
    name = bench.empty_database()
    dsn = bench.server.dsn(name)
    fill(dsn, models=7, requests=rows)
    with psycopg.connect(dsn, autocommit=True) as connection:
        # It comes by the clock, and what it has freed by then a moved row takes again.
        connection.execute("ALTER TABLE public.requests SET (autovacuum_enabled = off)")
        connection.execute("CHECKPOINT")  # so that each page is written to the WAL whole, once
    seconds: dict[str, float] = {}
    memory = 0
    _apply(dsn, "expand")
    before, from_lsn = _size(dsn), _lsn(dsn)
    most = before
    for phase in (*PHASES[:-1], "switch", PHASES[-1]):
        seconds[phase], taken = _apply(dsn, phase)
        memory, most = max(memory, taken), max(most, _size(dsn))
    wal = _lsn(dsn) - from_lsn
    bench.server.drop_database(name)
    return Grown(seconds, memory, wal, most, before)


def _apply(dsn: str, to: str) -> tuple[float, int]:
    """The seconds on the clock of a run, and the bytes of memory that it had at most."""
    arguments = ["apply", "--quiet", "--service", str(SERVICE), "--to", to]
    if to == "contract":
        arguments += ["--waiting-period", "0s"]
    environment = {k: v for k, v in os.environ.items() if k != "DATABASE_URL"} | {"TRUEUP_DSN": dsn}
    memory = 0
    with tempfile.TemporaryFile() as output:
        begun = time.perf_counter()
        process = subprocess.Popen(
            [sys.executable, "-m", "runner", *arguments],
            env=environment,
            stdout=output,
            stderr=output,
        )
        while process.poll() is None:
            memory = max(memory, _memory(process.pid))
            time.sleep(0.02)
        taken = time.perf_counter() - begun
        if process.returncode:
            output.seek(0)
            raise RuntimeError(f"apply --to {to}: {output.read().decode()[-2000:]}")
    return taken, memory


def _memory(pid: int) -> int:
    """The most that a process had so far; 0 where the system does not tell."""
    with suppress(OSError):
        status = Path(f"/proc/{pid}/status").read_text("ascii", "replace")
        if found := re.search(r"VmHWM:\s+(\d+) kB", status):
            return int(found[1]) * 1024
    return 0


def _size(dsn: str) -> int:
    return _number(
        dsn,
        "SELECT sum(pg_total_relation_size(oid)) FROM pg_class"
        " WHERE relname IN ('requests', 'request') AND relkind = 'r'",
    )


def _lsn(dsn: str) -> int:
    return _number(dsn, "SELECT pg_current_wal_insert_lsn() - '0/0'::pg_lsn")


def _number(dsn: str, query: LiteralString) -> int:
    with psycopg.connect(dsn) as connection:
        row = connection.execute(query).fetchone()
    assert row is not None
    return int(row[0])


def _beyond(grown: Grown, fixed: Grown, *phases: str) -> float:
    """The seconds of phases that a nearly empty table does not take."""
    return sum(grown.seconds[p] - fixed.seconds[p] for p in phases)


def _spread(by_size: Mapping[int, float]) -> float:
    return max(by_size.values()) / min(by_size.values())


def _listed(by_size: Mapping[int, float], unit: str) -> str:
    return f"{', '.join(f'{value:,.0f}' for value in by_size.values())} {unit}"
