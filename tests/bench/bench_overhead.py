"""What the runner itself costs: many small migrations, and none to do.

Processor time of its process, beyond that of an interpreter that does nothing: it does not depend
on the server's disk, nor on who else uses the machine.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from support.migration_files import write_tables

from bench.support import Bench, Spent, run_python

TIMES = 5


def measure(bench: Bench) -> None:
    """Bar 4 of issue 4."""
    start = _least([run_python("-c", "pass") for _ in range(TIMES)])
    driver = _least(
        [run_python("-c", "import psycopg, click, os; os._exit(0)") for _ in range(TIMES)]
    )
    first, again = _apply(bench, 100, times=TIMES)
    libraries = f"the libraries' import is {driver.process - start.process:.2f} s of it"
    bench.at_most(
        "100 one-table migrations, up",
        first.process - start.process,
        0.6,
        "s",
        f"{first.clock:.2f} s on the clock; {libraries}",
    )
    bench.at_most(
        "100 migrations, nothing to do",
        again.process - start.process,
        0.15,
        "s",
        f"{again.clock:.2f} s on the clock; {libraries}",
    )
    few, many = (1000, 5000) if bench.full else (200, 1000)
    small, _ = _apply(bench, few, times=2)
    large, idle = _apply(bench, many, times=2)
    growth = (large.process - again.process) / (small.process - again.process) / (many / few)
    bench.at_most(
        f"cost of one migration of {many:,} to one of {few:,}",
        growth,
        1.15,
        "x",
        f"1 is linear; {large.process:.2f} s and {small.process:.2f} s, {large.clock:.1f} s and"
        f" {small.clock:.1f} s on the clock; with nothing to do {idle.process:.2f} s",
    )


def _least(spent: list[Spent]) -> Spent:
    return Spent(min(s.process for s in spent), min(s.clock for s in spent))


def _apply(bench: Bench, count: int, *, times: int) -> tuple[Spent, Spent]:
    up, again = [], []
    with tempfile.TemporaryDirectory() as folder:
        write_tables(Path(folder), count)
        for _ in range(times):
            name = bench.empty_database()
            arguments = ("-m", "runner", "apply", "--sources", folder)
            up.append(run_python(*arguments, dsn=bench.server.dsn(name)))
            again.append(run_python(*arguments, dsn=bench.server.dsn(name)))
            bench.server.drop_database(name)
    return _least(up), _least(again)
