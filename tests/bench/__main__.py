"""`python -m bench [NAME...]`: run the measurements and print their table.

BENCH=full takes the full sizes; BENCH_JSON=FILE writes the lines there, too; BENCH_ROWS and
BENCH_SETTINGS override a small size and settings of the server. It ends with the lines that fell
short of their bar, and exits with 1 then.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import time
from dataclasses import asdict
from pathlib import Path

from bench.support import Bench, Line, machine

HERE = Path(__file__).parent


def modules(chosen: list[str]) -> list[str]:
    """The measuring modules, those without a server of the machine's full attention last."""
    found = sorted(HERE.rglob("bench_*.py"))
    names = [".".join(("bench", *p.relative_to(HERE).with_suffix("").parts)) for p in found]
    unknown = [c for c in chosen if not any(c in name for name in names)]
    if unknown:
        raise SystemExit(f"no measurement is named {', '.join(unknown)}; there are: {names}")
    return [name for name in names if not chosen or any(c in name for c in chosen)]


def shown(line: Line) -> str:
    """A line of the table, in Markdown."""
    passed = {True: "pass", False: "**no**", None: ""}[line.passed]
    bar = "" if line.bar is None else f"{line.sign} {figure(line.bar, line.unit)}"
    spread = ""
    if line.turns:
        spread = f"{figure(min(line.turns))} to {figure(max(line.turns))}"
    measured = figure(line.measured, line.unit)
    return f"| {line.name} | {measured} | {spread} | {bar} | {passed} | {line.note} |"


def figure(value: float, unit: str = "") -> str:
    """A number with its unit, in as many digits as it deserves."""
    if value == int(value) or abs(value) >= 1000:
        text = f"{value:,.0f}"
    else:
        text = f"{value:.3g}" if abs(value) < 100 else f"{value:.0f}"
    return f"{text} {unit}".rstrip()


def main() -> None:
    full = os.environ.get("BENCH") == "full"
    begun = time.monotonic()
    bench = Bench(full, lambda line: print(shown(line), flush=True))
    try:
        print("| what | median | spread | bar | | made of |", flush=True)
        print("| --- | --- | --- | --- | --- | --- |", flush=True)
        failures = []
        for name in modules(sys.argv[1:]):
            try:
                importlib.import_module(name).measure(bench)
            except Exception as error:  # one that fails must not hide the others' figures
                failures.append(f"{name}: {type(error).__name__}: {error}")
        described = machine(bench)
    finally:
        bench.close()
    print(
        f"\n{'full' if full else 'small'} sizes, {time.monotonic() - begun:.0f} s in all; ", end=""
    )
    print("; ".join(f"{key}: {value}" for key, value in described), flush=True)
    if path := os.environ.get("BENCH_JSON"):
        content = {
            "full": full,
            "machine": dict(described),
            "lines": [asdict(line) | {"passed": line.passed} for line in bench.lines],
            "curves": [asdict(curve) for curve in bench.curves],
        }
        Path(path).write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    for failure in failures:
        print(f"not measured: {failure}", file=sys.stderr)
    missed = [line for line in bench.lines if line.passed is False]
    if missed:
        print("\nbelow their bar:", file=sys.stderr)
    for line in missed:
        wanted = f"{line.sign} {figure(line.bar or 0, line.unit)}"
        print(f"  {line.name}: {figure(line.measured, line.unit)}, {wanted}", file=sys.stderr)
    sys.exit(1 if failures or missed else 0)


if __name__ == "__main__":
    main()
