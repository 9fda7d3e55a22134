"""Lint's start, and 4,000 files of every layout beside Squawk, which reads the same ones."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from statistics import median

from bench.lint_corpus import write_corpus
from bench.support import TURNS, Bench, Spent, middle, ratios, run, run_python
from runner.lint.squawk import find_program

FILES = 4_000
# As a pull request has it: what lint imports depends on what it reads.
ONE = """
SET lock_timeout = '200ms';
CREATE TABLE invoice (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, total numeric(12, 2));
ALTER TABLE payment ADD COLUMN invoice_id bigint;
ALTER TABLE payment ADD FOREIGN KEY (invoice_id) REFERENCES invoice (id);
CREATE INDEX payment_invoice_idx ON payment (invoice_id);
UPDATE payment SET state = 'OPEN';
"""
# What no lint in Python can do without: PostgreSQL's tree of each file, looked at by nobody.
PARSED = """
import gc, sys
from pathlib import Path
from runner.lint import parser
gc.disable()
for path in Path(sys.argv[1]).rglob("*.sql"):
    parser.parse(path.read_text("utf-8"))
"""


def measure(bench: Bench) -> None:
    """The bars of issue 17: processor time, which other work on the machine changes least."""
    with tempfile.TemporaryDirectory() as folder:
        one = Path(folder) / "one" / "0001_a.sql"
        one.parent.mkdir()
        one.write_text(ONE, encoding="utf-8")
        many = Path(folder) / "many"
        many.mkdir()
        files = write_corpus(many, FILES)
        paths = sorted(str(path) for path in many.rglob("*.sql"))
        size = sum(Path(path).stat().st_size for path in paths)
        program = find_program()
        assert program is not None, "the extra lint is part of the development tools"
        _lint(many, "--no-squawk")  # for the cache
        python, start, ours, again, theirs, parsed = [], [], [], [], [], []
        for _ in range(TURNS):
            python.append(run_python("-c", "pass"))
            start.append(_lint(one, "--no-squawk"))
            ours.append(_lint(many, "--no-squawk", "--no-cache"))
            theirs.append(run(program, "--reporter", "json", *paths, codes=(0, 1)))
            again.append(_lint(many, "--no-squawk"))
            parsed.append(run_python("-c", PARSED, str(many)))
    bench.at_most(
        "lint of one file, from the start of the process",
        [s.process for s in start],
        0.1,
        "s",
        f"of a processor, of which Python alone {middle(python).process:.3f} s;"
        f" {middle(start).clock:.2f} s on the clock",
    )
    squawk = middle(theirs)
    for what, spent in (("for the first time", ours), ("again", again)):
        mine = middle(spent)
        bench.at_most(
            f"lint of {files:,} files beside Squawk, {what}",
            ratios([s.process for s in spent], [s.process for s in theirs]),
            2.0,
            "x",
            f"{size / 1e6:.1f} MB; {mine.process:.2f} s of a processor to {squawk.process:.2f} s;"
            f" on the clock {mine.clock:.2f} s to {squawk.clock:.2f} s",
        )
    bench.figure(
        "to start, read and parse these files alone, beside Squawk",
        median(ratios([s.process for s in parsed], [s.process for s in theirs])),
        "x",
        f"{middle(parsed).process:.2f} s of a processor",
    )


def _lint(path: Path, *options: str) -> Spent:
    return run(sys.executable, "-m", "runner", "lint", *options, str(path), codes=(0, 1))
