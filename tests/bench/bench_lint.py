"""How long lint takes for 1,000 files, the start of the command included.

Run it by `make bench`, or alone: `python -m pytest -s tests/bench/bench_lint.py`.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

SQL = Path(__file__).parents[2] / "sql" / "model_orchestration" / "online"
FILES = 1_000


def write_files(folder: Path) -> int:
    """Copy the house's forward files and rollbacks, numbered anew, until there are enough."""
    originals = sorted(SQL.glob("*.sql"))
    for number in range(FILES):
        original = originals[number % len(originals)]
        copy = folder / f"{number // len(originals):03}{original.name}"
        shutil.copy(original, copy)
    return sum(path.stat().st_size for path in folder.glob("*.sql"))


def bench_lint(tmp_path: Path) -> None:
    size = write_files(tmp_path)
    for squawk in ("--no-squawk", "--squawk"):
        begun, before = time.perf_counter(), os.times()
        done = subprocess.run(
            [sys.executable, "-m", "runner", "lint", squawk, "--json", str(tmp_path)],
            capture_output=True,
            timeout=120,
            check=False,
        )
        seconds, after = time.perf_counter() - begun, os.times()
        busy = after.children_user + after.children_system
        busy -= before.children_user + before.children_system
        assert done.returncode in (0, 1), done.stderr
        print(
            f"\nlint {squawk}: {FILES} files, {size / 1000:.0f} kB in {seconds:.2f} s,"
            f" of which {busy:.2f} s on a processor",
            end="",
        )
    print()


test_lint = bench_lint
