"""What the demo shows: what is done and why, and one bar that stays until the end."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bars

from runner.demo import tables
from runner.demo.result import Result
from runner.execute.events import (
    AttemptFailed,
    BackfillHeld,
    Event,
    FileDone,
    FileStarted,
    Listener,
    Progress,
    RunDone,
    RunStarted,
)
from runner.preflight import Report

PURPOSES = {
    "baseline": "create the old tables, as the service has always had them",
    "prepare": "create what the files call; read the rows: all can be converted",
    "expand": "add new columns beside the old ones, and views with new names",
    "backfill": "convert the rows that are there, in small batches",
    "enforce": "build indexes and prove constraints, while everybody works",
    "switch": "give the tables their new names; the old names become views",
    "contract": "remove the old names and columns",
}
_BACK = {
    "contract": "bring the old names back",
    "switch": "give the tables their old names again",
    "enforce": "drop the new constraints and indexes",
    "backfill": "nothing to undo: the new columns go with expand",
    "expand": "drop the new columns and views",
    "prepare": "drop what the files called",
}
# These come in turns, and are one step to who watches.
STEPS = {"toolkit": "prepare", "check": "prepare"}
_QUIET = 2.5  # seconds without a line, where there is no bar to move


class Show:
    """The demo's output, a context: the bar is there from its start to its end.

    Args:
        chapters: how many there will be.
        heard: how many queries the clients have sent so far, and how many failed.
        quiet: show nothing.
    """

    def __init__(
        self, chapters: int, heard: Callable[[], tuple[int, int]], *, quiet: bool = False
    ) -> None:
        # 80 columns where nobody says how wide it is: in a file, in a CI's log.
        width = None if sys.stdout.isatty() else 80
        self._console = Console(quiet=quiet, highlight=False, width=width)
        self._chapters, self._heard = chapters, heard
        self._number = 0
        self._note = ""
        self._begun = self._spoke = time.monotonic()
        self._over = threading.Event()
        self._bars = Bars(
            SpinnerColumn(),
            BarColumn(bar_width=20),
            TextColumn("{task.percentage:>3.0f}%"),
            TimeElapsedColumn(),
            TextColumn("{task.fields[clients]}"),
            TextColumn("{task.fields[note]}", table_column=tables.last_column()),
            console=self._console,
            disable=quiet or not self._console.is_terminal,
        )
        self._task = self._bars.add_task("", total=chapters, clients="", note="")
        self._beat = threading.Thread(target=self._live, daemon=True)

    def __enter__(self) -> Self:
        self._bars.start()
        self._beat.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._over.set()
        self._beat.join()
        if kind is None:
            self._note = ""
            self._bars.update(self._task, completed=self._chapters)
            self._tell_clients()
        self._bars.stop()

    def chapter(self, title: str, *more: str) -> None:
        """A new chapter: what is done, and below it what it is for."""
        self._number += 1
        self._bars.update(self._task, completed=self._number - 1)
        self._print(f"\n[bold]{self._number}/{self._chapters}  {escape(title)}[/bold]")
        for line in more:
            self.line(line)

    def line(self, text: str, style: str = "") -> None:
        """A line below a title."""
        self._print(f"     [{style}]{escape(text)}[/]" if style else f"     {escape(text)}")

    def note(self, text: str) -> None:
        """What is done now, beside the bar."""
        self._note = text
        self._tell_clients()

    def wait(self, seconds: float) -> None:
        """Let the clients work for a while, and the bar move."""
        begun = time.monotonic()
        while (passed := time.monotonic() - begun) < seconds:
            self._share(passed / seconds)
            time.sleep(min(0.1, seconds - passed))

    @contextmanager
    def files(self) -> Iterator[Listener]:
        """Follow a run's files: what each phase is for as it begins, and what it took."""
        done = total = 0
        phase, count, seconds, waits, rested = "", 0, 0.0, 0, False
        purposes = PURPOSES

        def end_phase() -> None:
            if phase:
                files = "1 file" if count == 1 else f"{count} files"
                self.line(f"{'':<10}{files} in {seconds:.2f} s", "dim")

        def listen(event: Event) -> None:
            nonlocal done, total, phase, count, seconds, waits, rested, purposes
            match event:
                case RunStarted():
                    total = len(event.migrations)
                    purposes = PURPOSES if event.operation == "APPLY" else _BACK
                case FileStarted():
                    if (step := STEPS.get(event.phase, event.phase)) != phase:
                        end_phase()
                        phase, count, seconds = step, 0, 0.0
                        self.line(f"{phase:<10}{purposes[phase]}")
                    self.note(event.migration)
                case Progress():
                    self.note(f"{event.table}: {event.share:.0%}")
                    self._share((done + event.share) / total)
                case AttemptFailed():
                    waits += 1
                    self.note(f"{event.migration}: gave way, tries again")
                case BackfillHeld():
                    rested = True
                case FileDone():
                    count, seconds, done = count + 1, seconds + event.seconds, done + 1
                    self._share(done / total)
                case RunDone():
                    end_phase()
                    if rested:
                        self.line(f"{'':<10}rested between batches: clients were active", "dim")
                    if waits:
                        self.line(f"{'':<10}gave way to clients and tried again: {waits} x", "dim")
                    self.note("")
                case _:
                    pass

        yield listen

    def preflight(self, report: Report) -> None:
        """What `trueup check` found, without the queries that show the rows."""
        for finding in report.findings:
            if finding.rows is None and report.ready:
                continue  # sizes and the like, which stop nothing
            rows = "" if finding.rows is None else f": {finding.rows:,} x"
            short = finding.problem.partition(";")[0].removeprefix(f"{finding.object} ")
            self.line(f"{finding.object.removeprefix('public.')} {short}{rows}", "dim")
        rows_read = sum(table.rows for table in report.tables)
        verdict = "ready: nothing stops the conversion" if report.ready else "not ready"
        self.line(f"{rows_read:,} rows read; {verdict}", "green" if report.ready else "red")

    def result(self, result: Result) -> None:
        """The tables at the end."""
        self._print("\n[bold]What the clients saw[/bold]")
        self._console.print(tables.phases(result))
        for name in ("old", "new"):
            for sample in [s for s in result.samples[name] if s.error][:5]:
                self.line(f"{name} client, {sample.name}: {sample.error}", "red")
        self._print("\n[bold]The same rows, before and after[/bold]")
        self._console.print(tables.rows(result))
        self._print("")
        for line in tables.verdict(result):
            self._print(escape(line))

    def last(self, lines: list[str]) -> None:
        """What to try next; not wrapped, so that a command can be copied."""
        for line in lines:
            self._console.print(escape(line), soft_wrap=True)

    def _print(self, text: str) -> None:
        self._spoke = time.monotonic()
        self._console.print(text)

    def _share(self, share: float) -> None:
        if self._number:
            self._bars.update(self._task, completed=self._number - 1 + min(share, 1.0))

    def _tell_clients(self) -> None:
        queries, failed = self._heard()
        told = f"{queries:,} queries, {failed} failed" if queries else ""
        self._bars.update(self._task, clients=told, note=self._note)

    def _live(self) -> None:
        """Keep the clients' count fresh; where there is no bar, say every few seconds how it is."""
        while not self._over.wait(0.5):
            with suppress(OSError, ValueError):
                self._tell_clients()
            if self._bars.disable and time.monotonic() - self._spoke > _QUIET:
                queries, failed = self._heard()
                so_far = f"; clients: {queries:,} queries, {failed} failed" if queries else ""
                note = f"; {self._note}" if self._note else ""
                self.line(f"... {time.monotonic() - self._begun:.0f} s{so_far}{note}", "dim")
