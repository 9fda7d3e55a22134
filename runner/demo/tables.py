"""The tables at the demo's end, for 80 columns and more, and the same as values for JSON."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

from rich.markup import escape
from rich.table import Column, Table

from runner.demo.result import Result, Sample


def last_column() -> Column:
    """A column that takes the room that is left, and is cut where it needs more."""
    return Column(no_wrap=True, overflow="ellipsis", ratio=1)


def phases(result: Result) -> Table:
    """What the clients saw in each phase."""
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False)
    table.add_column("phase", no_wrap=True)
    for heading in ("seconds", "old queries", "new queries", "failed", "p99 ms", "worst ms"):
        table.add_column(heading, justify="right", no_wrap=True)
    everything = [*result.samples["old"], *result.samples["new"]]
    seconds = sum(phase.ended - phase.begun for phase in result.phases)
    for name, took, old, new in _by_phase(result):
        table.add_row(name, *_figures(took, old, new))
    figures = _figures(seconds, result.samples["old"], result.samples["new"])
    table.add_row("all", *figures, style="green bold" if not _failed(everything) else "red bold")
    return table


def rows(result: Result) -> Table:
    """One row of each table before and after, each value above what became of it."""
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, show_header=False)
    for _ in range(3):
        table.add_column(no_wrap=True)
    for (old, before), (new, after) in zip(
        result.before.items(), result.after.items(), strict=True
    ):
        for column, value in before.items():
            if column.startswith("type of "):
                continue
            kind = f"type of {column}"
            table.add_row(f"{old}.{column}", _cell(value), str(before.get(kind, "")))
            table.add_row(
                f"[green]{new}.{column}", f"[green]{_cell(after[column])}", str(after.get(kind, ""))
            )
    return table


def verdict(result: Result) -> list[str]:
    """The figures that must be right."""
    server = ".".join(map(str, result.version))
    total = sum(len(samples) for samples in result.samples.values())
    return [
        f"{result.rows:,} requests on PostgreSQL {server}, {total:,} queries of clients: "
        f"{result.failed} failed",
        f"increments of one counter: {result.acknowledged:,} confirmed, {result.counted:,} counted",
        *result.distances,
        f"distance to the standard: {len(result.distances)}",
    ]


def summary(result: Result) -> dict[str, Any]:
    """The result as values for JSON."""
    return {
        "rows": result.rows,
        "server": ".".join(map(str, result.version)),
        "failed": result.failed,
        "acknowledged": result.acknowledged,
        "counted": result.counted,
        "distances": result.distances,
        "phases": [
            {
                "name": name,
                "seconds": round(seconds, 3),
                "old": len(old),
                "new": len(new),
                "failed": _failed([*old, *new]),
                "p99_ms": _p99([*old, *new]),
                "worst_ms": _worst([*old, *new]),
            }
            for name, seconds, old, new in _by_phase(result)
        ],
    }


def _figures(seconds: float, old: Sequence[Sample], new: Sequence[Sample]) -> tuple[str, ...]:
    both = [*old, *new]
    return (
        f"{seconds:.2f}",
        f"{len(old):,}",
        f"{len(new):,}",
        str(_failed(both)),
        f"{_p99(both):.1f}",
        f"{_worst(both):.1f}",
    )


def _by_phase(
    result: Result,
) -> Iterator[tuple[str, float, Sequence[Sample], Sequence[Sample]]]:
    for phase in result.phases:
        old, new = (
            [s for s in result.samples[name] if phase.begun <= s.ended < phase.ended]
            for name in ("old", "new")
        )
        yield phase.name, phase.ended - phase.begun, old, new


def _failed(samples: Sequence[Sample]) -> int:
    return sum(bool(sample.error) for sample in samples)


def _p99(samples: Sequence[Sample]) -> float:
    """The 99th percentile in milliseconds, by the nearest rank."""
    ordered = sorted(s.seconds for s in samples)
    return ordered[math.ceil(len(ordered) * 0.99) - 1] * 1000 if ordered else 0.0


def _worst(samples: Sequence[Sample]) -> float:
    return max((s.seconds for s in samples), default=0.0) * 1000


def _cell(value: object) -> str:
    return escape(", ".join(map(str, value)) if isinstance(value, list) else str(value))
