"""Lint of a thousand files, the start of the command included."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from bench.support import SERVICE, Bench, Spent, run_python

FILES = 1_000
TIMES = 3


def measure(bench: Bench) -> None:
    """The bar of issue 7. The files are Model Orchestration's, copied until there are enough."""
    with tempfile.TemporaryDirectory() as folder:
        files, size = _write(Path(folder))
        spent = _least(
            [run_python("-m", "runner", "lint", "--no-squawk", folder) for _ in range(TIMES)]
        )
        squawk = _least(
            [run_python("-m", "runner", "lint", "--squawk", folder) for _ in range(TIMES)]
        )
    bench.at_most(
        f"lint of {files:,} files",
        spent.clock,
        2.0,
        "s",
        f"{size / 1e6:.1f} MB; {spent.process:.2f} s of a processor; with Squawk"
        f" {squawk.clock:.2f} s",
    )


def _write(folder: Path) -> tuple[int, int]:
    files = size = number = 0
    while files < FILES:
        copy = folder / f"service_{number:02}"
        shutil.copytree(SERVICE, copy)
        paths = list(copy.rglob("*.sql"))
        files, size = files + len(paths), size + sum(path.stat().st_size for path in paths)
        number += 1
    return files, size


def _least(spent: list[Spent]) -> Spent:
    return Spent(min(s.process for s in spent), min(s.clock for s in spent))
