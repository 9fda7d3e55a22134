"""What the runner itself costs: many small migrations, and none to do.

Processor time of its process, beyond that of an interpreter that does nothing: it does not depend
on the server's disk, nor on who else uses the machine.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from statistics import median

from support.migration_files import write_tables

from bench.support import TURNS, Bench, Spent, middle, ratios, run_python

LIBRARIES = "import psycopg, click, os; os._exit(0)"


def measure(bench: Bench) -> None:
    """The bars of issue 19."""
    start, libraries, first, again = [], [], [], []
    with tempfile.TemporaryDirectory() as folder:
        write_tables(Path(folder), 100)
        for _ in range(TURNS):
            start.append(run_python("-c", "pass").process)
            libraries.append(run_python("-c", LIBRARIES).process)
            up, idle = _apply(bench, Path(folder))
            first.append(up)
            again.append(idle)
    imports = f"the libraries' import is {median(libraries) - median(start):.3f} s of it"
    for what, bar, spent in (("up", 0.2, first), ("nothing to do", 0.12, again)):
        bench.at_most(
            f"100 one-table migrations, {what}",
            [s.process - python for s, python in zip(spent, start, strict=True)],
            bar,
            "s",
            f"{middle(spent).clock:.2f} s on the clock; {imports}",
        )
    bench.figure(
        "a run with nothing to do to the import of psycopg and click",
        ratios([s.process for s in again], libraries),
        "x",
    )
    few, many = (1000, 5000) if bench.full else (200, 1000)
    small, large, idle_large, growth = [], [], [], []
    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as other:
        write_tables(Path(one), few)
        write_tables(Path(other), many)
        for turn in range(TURNS):
            small.append(_apply(bench, Path(one))[0])
            up, idle = _apply(bench, Path(other))
            large.append(up)
            idle_large.append(idle)
            fixed = again[turn].process
            each = (up.process - fixed) / many, (small[-1].process - fixed) / few
            growth.append(each[0] / each[1])
    bench.at_most(
        f"cost of one migration of {many:,} to one of {few:,}",
        growth,
        1.15,
        "x",
        f"1 is linear; {middle(large).process:.2f} s and {middle(small).process:.2f} s,"
        f" {middle(large).clock:.1f} s and {middle(small).clock:.1f} s on the clock; with nothing"
        f" to do {middle(idle_large).process:.2f} s",
    )


def _apply(bench: Bench, folder: Path) -> tuple[Spent, Spent]:
    """Apply the files of a folder to a new database, and once more."""
    name = bench.empty_database()
    arguments = ("-m", "runner", "apply", "--sources", str(folder))
    dsn = bench.server.dsn(name)
    spent = run_python(*arguments, dsn=dsn), run_python(*arguments, dsn=dsn)
    bench.server.drop_database(name)
    return spent
