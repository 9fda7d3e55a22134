"""`python -m bench.compare`: the ratios of a short benchmark beside those that were kept.

Ratios of two measurements of one run change little from machine to machine; what got worse by more
than the spread of its turns is told, and nothing fails. `--write` keeps the ratios of this run.
"""

from __future__ import annotations

import json
import sys
from importlib import import_module
from pathlib import Path

from bench.support import Bench, Line

KEPT = Path(__file__).with_name("ratios.json")
MODULES = ("bench_lint", "bench_overhead", "bench_preflight")
MARGIN = 1.15  # times as much, beside what the turns differ by


def worse(line: Line, before: float) -> bool:
    """Whether each turn of a ratio is worse than it was, by more than the margin."""
    if line.sign == ">=":
        return max(line.turns) < before / MARGIN
    return min(line.turns) > before * MARGIN


def main() -> None:
    """Measure, compare, and tell."""
    bench = Bench(False, lambda _: None)
    try:
        for name in MODULES:
            import_module(f"bench.{name}").measure(bench)
    finally:
        bench.close()
    ratios = [line for line in bench.lines if line.unit == "x" and line.turns]
    if "--write" in sys.argv:
        kept = {line.name: round(line.measured, 3) for line in ratios}
        KEPT.write_text(json.dumps(kept, indent=2) + "\n", encoding="utf-8")
        return
    kept = json.loads(KEPT.read_text("utf-8"))
    for line in ratios:
        before = kept.get(line.name)
        spread = f"{min(line.turns):.2f} to {max(line.turns):.2f}"
        told = f"{line.name}: {line.measured:.2f} ({spread}), was {before or 'not measured'}"
        print(f"warning: {told}" if before and worse(line, before) else told)


if __name__ == "__main__":
    main()
