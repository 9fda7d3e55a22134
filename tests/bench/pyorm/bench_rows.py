"""Rows to entities, beside what other libraries make of the same query."""

from __future__ import annotations

import gc
import time

from bench.support import Bench
from pyorm import Repository

from .others import OTHERS, Read, tuples, tuples_paused
from .rows import RequestRow, connect, filled

ROWS = 200_000


def measure(bench: Bench) -> None:
    with filled(bench, ROWS) as dsn:
        first = {
            "tuples": tuples(dsn),
            "tuples paused": tuples_paused(dsn),
            "pyorm": Repository(RequestRow, connect(dsn)).find,
            "pyorm unpaused": Repository(RequestRow, connect(dsn), pause_collector=False).find,
        }
        best = fastest(first, rounds=12)
        others: dict[str, Read] = {"tuples": first["tuples"], "pyorm": first["pyorm"]}
        for other in OTHERS:
            try:
                others[other.name] = other.reader(dsn)
            except ImportError:
                bench.figure(f"rows: {other.name} is not installed", 0)
        beside = fastest(others, rounds=3)

    base = best["tuples"]
    note = f"{ROWS:,} rows, 8 columns; psycopg's binary tuples took {base:.3f} s"
    bench.at_most("rows: pyorm entities / psycopg tuples", best["pyorm"] / base, 0.55, "x", note)
    paused = best["pyorm"] / best["tuples paused"]
    bench.at_most("rows: the same, collector paused for both", paused, 1.3, "x")
    bench.figure("rows: pyorm, collector not paused", best["pyorm unpaused"] / base, "x")
    for other in OTHERS:
        if other.name in beside:
            taken = beside[other.name] / beside["tuples"]
            bench.figure(f"rows: {other.name} / psycopg tuples", taken, "x", other.gives)
    if "asyncpg" in beside:
        bench.at_least("rows: asyncpg / pyorm", beside["asyncpg"] / beside["pyorm"], 1.0, "x")
    if "SQLAlchemy ORM" in beside:
        faster = beside["SQLAlchemy ORM"] / beside["pyorm"]
        bench.at_least("rows: SQLAlchemy ORM / pyorm", faster, 8.0, "x")


def fastest(readers: dict[str, Read], *, rounds: int) -> dict[str, float]:
    """The best time of each, over rounds in which every reader has its turn."""
    best: dict[str, float] = {}
    for _ in range(rounds):
        for name, read in readers.items():
            gc.collect()
            begun = time.perf_counter()
            found = read()
            taken = time.perf_counter() - begun
            if len(found) != ROWS:
                raise RuntimeError(f"{name} read {len(found)} of {ROWS} rows")
            del found
            best[name] = min(best.get(name, taken), taken)
    return best
