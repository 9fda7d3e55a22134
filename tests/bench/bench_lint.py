"""Lint's start, and 4,000 files of every layout beside Squawk, which reads the same ones."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from bench.lint_corpus import write_corpus
from bench.support import Bench, Spent, run, run_python
from runner.lint.squawk import find_program

FILES = 4_000
TIMES = 5


def measure(bench: Bench) -> None:
    """The bars of issue 17. Each is the least of several runs, ours and Squawk's in turn."""
    with tempfile.TemporaryDirectory() as folder:
        one = Path(folder) / "one" / "0001_a.sql"
        one.parent.mkdir()
        one.write_text("SELECT 1;\n", encoding="utf-8")
        python = _least([run_python("-c", "pass") for _ in range(TIMES)])
        start = _least([_lint(one, "--no-squawk") for _ in range(TIMES)])
        many = Path(folder) / "many"
        many.mkdir()
        files = write_corpus(many, FILES)
        paths = sorted(str(path) for path in many.rglob("*.sql"))
        size = sum(Path(path).stat().st_size for path in paths)
        ours, again, theirs = [], [], []
        program = find_program()
        assert program is not None, "the extra lint is part of the development tools"
        for _ in range(TIMES):
            ours.append(_lint(many, "--no-squawk", "--no-cache"))
            theirs.append(run(program, "--reporter", "json", *paths, codes=(0, 1)))
            # What the first of these keeps, the others take.
            again.append(_lint(many, "--no-squawk"))
    squawk = _least(theirs)
    bench.at_most(
        "lint of one file, from the start of the process",
        start.clock,
        0.1,
        "s",
        f"{start.process:.2f} s of a processor, of which Python alone {python.process:.2f} s",
    )
    for what, spent in (("for the first time", _least(ours)), ("again", _least(again))):
        bench.at_most(
            f"lint of {files:,} files beside Squawk, {what}",
            spent.clock / squawk.clock,
            2.0,
            "times",
            f"{size / 1e6:.1f} MB; {spent.clock:.2f} s beside {squawk.clock:.2f} s; of processors"
            f" {spent.process:.2f} s beside {squawk.process:.2f} s",
        )


def _lint(path: Path, *options: str) -> Spent:
    return run(sys.executable, "-m", "runner", "lint", *options, str(path), codes=(0, 1))


def _least(spent: list[Spent]) -> Spent:
    return Spent(min(s.process for s in spent), min(s.clock for s in spent))
