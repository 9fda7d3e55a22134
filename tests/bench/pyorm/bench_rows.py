"""Rows to entities, beside what other libraries make of the same query: time, and memory.

Python's cyclic garbage collector takes more time than all the rest of a large read, so each library
is measured with it off for all and with it on for all; nothing else differs.
"""

from __future__ import annotations

import gc
import subprocess
import sys
import time

from bench.support import Bench
from pyorm import Repository

from .others import OTHERS, Read, tuples
from .rows import RequestRow, connect, filled

KEPT = 2_000
BARRED = ("tuples", "pyorm", "asyncpg", "SQLAlchemy ORM")


def measure(bench: Bench) -> None:
    rows = bench.size(full=200_000, small=50_000)
    with filled(bench, rows) as dsn:
        readers: dict[str, Read] = {
            "tuples": tuples(dsn),
            "pyorm": Repository(RequestRow, connect(dsn)).find,
        }
        for other in OTHERS:
            try:
                readers[other.name] = other.reader(dsn)
            except ImportError:
                bench.figure(f"rows: {other.name} is not installed", 0)
        barred = {name: read for name, read in readers.items() if name in BARRED}
        off, on = (
            fastest(readers, rows, on=state, rounds=1) | fastest(barred, rows, on=state, rounds=8)
            for state in (False, True)
        )
    for state, best, tuples_bar, orm_bar in (("off", off, 1.15, 3.5), ("on", on, 0.9, 8.0)):
        base = best["tuples"]
        note = f"collector {state} for both; {rows:,} rows, 8 columns; tuples took {base:.3f} s"
        name = f"rows, collector {state}: "
        ratio = best["pyorm"] / base
        bench.at_most(f"{name}pyorm entities / psycopg binary tuples", ratio, tuples_bar, "x", note)
        for other in OTHERS:
            if other.name in best:
                taken = best[other.name] / base
                bench.figure(f"{name}{other.name} / tuples", taken, "x", other.gives)
        if "asyncpg" in best:
            bench.figure(f"{name}asyncpg / pyorm", best["asyncpg"] / best["pyorm"], "x")
        if "SQLAlchemy ORM" in best:
            faster = best["SQLAlchemy ORM"] / best["pyorm"]
            bench.at_least(f"{name}SQLAlchemy ORM / pyorm", faster, orm_bar, "x")
    measure_memory(bench)


def measure_memory(bench: Bench) -> None:
    """What a service's memory grows by that reads many rows and leaves cycles as garbage."""
    rounds = bench.size(full=18_000, small=1_500)  # an hour of five reads a second, or a part
    with filled(bench, KEPT) as dsn:
        for name, pause in (("pyorm", True), ("pyorm, pause_collector=False", False)):
            command = [sys.executable, "-c", GROWTH, dsn, str(int(pause)), str(rounds)]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            grown, full = done.stdout.split()
            note = (
                f"{rounds:,} reads of {KEPT:,} rows, 400 kB of cycles each; {full} full collections"
            )
            bench.at_most(f"rows: memory, {name}", float(grown), 8, "MB", note)


GROWTH = """
import gc, sys
from bench.pyorm.rows import RequestRow, connect
from pyorm import Repository

class Node:
    pass

def resident():
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS"))

def leave_garbage():
    for _ in range(20):
        node = Node()
        node.itself, node.payload = node, bytearray(20_000)

rows = Repository(RequestRow, connect(sys.argv[1]), pause_collector=sys.argv[2] == "1")
for i in range(int(sys.argv[3])):
    rows.find()
    leave_garbage()
    if i == 50:
        first = resident()
print((resident() - first) / 1024, gc.get_stats()[2]["collections"])
"""


def fastest(readers: dict[str, Read], rows: int, *, on: bool, rounds: int) -> dict[str, float]:
    """The best time of each, over rounds in which every reader has its turn.

    Args:
        readers: each reads all rows.
        rows: how many.
        on: whether the collector is.
        rounds: how often each.
    """
    best: dict[str, float] = {}
    for _ in range(rounds):
        for name, read in readers.items():
            gc.collect()
            if not on:
                gc.disable()
            try:
                begun = time.perf_counter()
                found = read()
                taken = time.perf_counter() - begun
            finally:
                gc.enable()
            if len(found) != rows:
                raise RuntimeError(f"{name} read {len(found)} of {rows} rows")
            del found
            best[name] = min(best.get(name, taken), taken)
    return best
