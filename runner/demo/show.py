"""What the demo shows: titles, a bar for the files, tables at the end."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bars
from rich.table import Table

from runner.execute.events import (
    AttemptFailed,
    Event,
    FileDone,
    FileStarted,
    Listener,
    Progress,
    RunDone,
    RunStarted,
)
from runner.preflight.render import print_report

if TYPE_CHECKING:
    from runner.demo.result import Result, Sample
    from runner.preflight import Report


class Show:
    """The demo's output.

    Args:
        quiet: show nothing but the summary that the caller asks for.
    """

    def __init__(self, *, quiet: bool = False) -> None:
        self._console = Console(
            quiet=quiet, highlight=False, width=None if sys.stdout.isatty() else 100
        )

    def title(self, text: str) -> None:
        """A new chapter of the story."""
        self._console.print(f"\n[bold]{escape(text)}[/bold]")

    def line(self, text: str) -> None:
        """A line below a title."""
        self._console.print(f"  {escape(text)}")

    @contextmanager
    def files(self) -> Iterator[Listener]:
        """A bar that follows a run's files, and a line for each phase when it is over."""
        bars = Bars(
            TextColumn("  {task.description:<44}"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TextColumn("{task.fields[note]}"),
            TimeElapsedColumn(),
            console=self._console,
            transient=True,
        )
        phases: dict[str, tuple[int, float]] = {}
        waits = 0
        with bars:
            task = bars.add_task("", total=None, note="")

            def listen(event: Event) -> None:
                nonlocal waits
                match event:
                    case RunStarted():
                        bars.update(task, total=len(event.migrations))
                    case FileStarted():
                        bars.update(task, description=event.migration, note="")
                    case Progress():
                        left = (
                            ""
                            if event.seconds_left is None
                            else f", {event.seconds_left:.0f} s left"
                        )
                        note = f"{event.share:.0%}, {event.rows_per_second:,.0f} rows/s{left}"
                        bars.update(task, note=note)
                    case AttemptFailed():
                        waits += 1
                        bars.update(task, note=f"{event.reason}; trying again")
                    case FileDone():
                        count, seconds = phases.get(event.phase, (0, 0.0))
                        phases[event.phase] = (count + 1, seconds + event.seconds)
                        bars.update(task, advance=1)
                    case RunDone():
                        for phase, (count, seconds) in phases.items():
                            self.line(f"{phase:<9} {count:>3} files  {seconds:6.2f} s")
                        if waits:
                            self.line(f"gave way to a client and tried again: {waits} times")
                    case _:
                        pass

            yield listen

    def preflight(self, report: Report) -> None:
        """What `trueup check` found."""
        print_report(report, self._console)

    def result(self, result: Result) -> None:
        """The tables at the end."""
        self.title("What the clients saw")
        self._console.print(self._phases(result))
        for name in ("old", "new"):
            for sample in [s for s in result.samples[name] if s.error][:5]:
                self.line(f"{name} client, {sample.name}: {sample.error}")
        self.title("The same rows before and after")
        for (old, before), (new, after) in zip(
            result.before.items(), result.after.items(), strict=True
        ):
            table = Table("", f"before: {old}", f"after: {new}", box=None, padding=(0, 2))
            for column, value in before.items():
                table.add_row(column, _cell(value), _cell(after[column]))
            self._console.print(table)
            self._console.print()
        server = ".".join(map(str, result.version))
        self.line(
            f"{result.rows:,} requests on PostgreSQL {server}; failed queries: {result.failed}; "
            f"increments acknowledged {result.acknowledged:,}, counted {result.counted:,}"
        )
        for distance in result.distances:
            self.line(distance)
        self.line(f"distance to the standard: {len(result.distances)}")

    def kept(self, instructions: str) -> None:
        """How to look around and how to stop the server."""
        self.title("The server is still there")
        for line in instructions.splitlines():
            self._console.print(f"  {escape(line)}", soft_wrap=True)

    def summary(self, result: Result) -> dict[str, Any]:
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
                    "failed": sum(bool(s.error) for s in (*old, *new)),
                    "p99_ms": _p99([*old, *new]),
                    "worst_ms": _worst([*old, *new]),
                }
                for name, seconds, old, new in _by_phase(result)
            ],
        }

    def _phases(self, result: Result) -> Table:
        table = Table(box=None, padding=(0, 2))
        table.add_column("phase")
        for heading in (
            "seconds",
            "old clients",
            "new clients",
            "failed",
            "p99 ms",
            "worst ms",
        ):
            table.add_column(heading, justify="right")
        for name, seconds, old, new in _by_phase(result):
            both = [*old, *new]
            table.add_row(
                name,
                f"{seconds:.2f}",
                f"{len(old):,}",
                f"{len(new):,}",
                str(sum(bool(s.error) for s in both)),
                f"{_p99(both):.1f}",
                f"{_worst(both):.1f}",
            )
        everything = [*result.samples["old"], *result.samples["new"]]
        table.add_row(
            "[bold]all",
            f"{sum(p.ended - p.begun for p in result.phases):.2f}",
            f"{len(result.samples['old']):,}",
            f"{len(result.samples['new']):,}",
            f"[bold]{result.failed}",
            f"{_p99(everything):.1f}",
            f"{_worst(everything):.1f}",
        )
        return table


def _by_phase(
    result: Result,
) -> Iterator[tuple[str, float, Sequence[Sample], Sequence[Sample]]]:
    for phase in result.phases:
        old, new = (
            [s for s in result.samples[name] if phase.begun <= s.ended < phase.ended]
            for name in ("old", "new")
        )
        yield phase.name, phase.ended - phase.begun, old, new


def _p99(samples: Sequence[Sample]) -> float:
    """The 99th percentile in milliseconds, by the nearest rank."""
    ordered = sorted(s.seconds for s in samples)
    return ordered[math.ceil(len(ordered) * 0.99) - 1] * 1000 if ordered else 0.0


def _worst(samples: Sequence[Sample]) -> float:
    return max((s.seconds for s in samples), default=0.0) * 1000


def _cell(value: object) -> str:
    return escape(", ".join(map(str, value)) if isinstance(value, list) else str(value))
