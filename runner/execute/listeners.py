"""Shows a run's events: lines for people, a progress bar on a terminal, JSON for machines.

A listener never stops a run: when its stream is closed it falls silent.
"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from runner.execute.events import (
    AttemptFailed,
    BackfillHeld,
    BlockerCancelled,
    Event,
    FileDone,
    FileStarted,
    InvalidIndexDropped,
    Listener,
    LockAwaited,
    Noticed,
    Progress,
    RunDone,
    RunStarted,
    TableHeld,
    percent,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from typing import TextIO

    from rich.progress import Progress as Bars


def text_listener(stream: TextIO) -> Listener:
    """Lines for people; with a bar for long files when the stream is a terminal."""
    return _silent_when_closed(_Bars(stream) if stream.isatty() else _Lines(stream))


def json_listener(stream: TextIO) -> Listener:
    """One JSON object a line: the event's name, the time, and its fields."""

    def write(event: Event) -> None:
        entry = {
            "event": type(event).__name__,
            "at": datetime.now(UTC).isoformat(timespec="milliseconds"),
            **asdict(event),
        }
        stream.write(json.dumps(entry, ensure_ascii=False) + "\n")
        stream.flush()

    return _silent_when_closed(write)


def describe(event: Event) -> str:
    """An event as a line of text; empty when it is worth none."""
    match event:
        case RunStarted():
            count = len(event.migrations)
            files = f"{count} file" if count == 1 else f"{count} files"
            verb = "applying" if event.operation == "APPLY" else "rolling back"
            return f"{event.run}: {verb} {files} on {event.database} as {event.user}"
        case LockAwaited():
            return f"waiting for the migration lock, held by {event.holder}"
        case FileStarted():
            place = f"[{event.index}/{event.total}]"
            title = f": {event.title}" if event.title else ""
            return f"{place} {event.migration}{' (resumed)' if event.resumed else ''}{title}"
        case AttemptFailed():
            line = f"    {event.reason}; try {event.attempt + 1} in {event.pause:.2f} s"
            return "\n".join([line, *(f"    in the way: {b}" for b in event.blockers)])
        case TableHeld():
            return "\n".join(f"    waiting, not queueing: {holder}" for holder in event.holders)
        case BlockerCancelled():
            return f"    cancelled {event.blocker}"
        case BackfillHeld():
            return f"    waiting: {event.reason}"
        case InvalidIndexDropped():
            return f"    dropped index {event.index}, left by a build that did not end"
        case Noticed():
            return f"    {event.severity}: {event.message}"
        case Progress():
            left = "" if event.seconds_left is None else f", {_duration(event.seconds_left)} left"
            return (
                f"    {event.table}: {percent(event.share)}, {event.rows:,} rows,"
                f" {event.rows_per_second:,.0f} rows/s{left}"
            )
        case FileDone():
            tries = f", {event.attempts} tries" if event.attempts > 1 else ""
            return f"    done in {event.seconds:.3f} s{tries}"
        case RunDone():
            return f"done in {event.seconds:.2f} s"


class _Lines:
    """One line an event; of a long file's progress one a percent, or a log would drown in it."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._told: tuple[str, int] | None = None

    def __call__(self, event: Event) -> None:
        if isinstance(event, Progress):
            now = event.migration, int(event.share * 100)
            if self._told and self._told[0] == now[0] and now[1] <= self._told[1]:
                return
            self._told = now
        if line := describe(event):
            self._stream.write(line + "\n")
            self._stream.flush()


class _Bars:
    """Lines, and a bar below them while a file reports its progress."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._lines: _Lines = _Lines(stream)
        self._bars: Bars | None = None

    def __call__(self, event: Event) -> None:
        if isinstance(event, Progress):
            self._show(event)
            return
        if self._bars is not None:
            self._bars.stop()
            self._bars = None
        self._lines(event)

    def _show(self, event: Progress) -> None:
        if self._bars is None:
            from rich.console import Console
            from rich.progress import BarColumn, TextColumn
            from rich.progress import Progress as Bars

            self._bars = Bars(
                TextColumn("    {task.description}"),
                BarColumn(),
                TextColumn("{task.percentage:>3.0f} %  {task.fields[rate]}"),
                console=Console(file=self._stream),
                transient=True,
            )
            self._bars.add_task(event.table, total=1.0, rate="")
            self._bars.start()
        left = "" if event.seconds_left is None else f", {_duration(event.seconds_left)} left"
        self._bars.update(
            self._bars.task_ids[0],
            completed=event.share,
            rate=f"{event.rows:,} rows, {event.rows_per_second:,.0f} rows/s{left}",
        )


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def _silent_when_closed(listener: Callable[[Event], None]) -> Listener:
    closed = False

    def listen(event: Event) -> None:
        nonlocal closed
        if closed:
            return
        try:
            listener(event)
        except (OSError, ValueError):
            closed = True

    return listen


def default_listener(
    log_format: str, *, quiet: bool = False, metrics: Path | None = None
) -> Listener:
    """The listener of a verb that runs files.

    Args:
        log_format: text or json, on standard error.
        quiet: tell nothing there.
        metrics: a file to keep at how the run goes, as OpenMetrics text.

    Raises:
        UsageError: the file cannot be written.
    """
    heard: list[Listener] = []
    if metrics:
        from runner.execute.metrics import metrics_listener

        heard.append(metrics_listener(metrics))
    if not quiet:
        as_json = log_format == "json"
        heard.append(json_listener(sys.stderr) if as_json else text_listener(sys.stderr))

    def listen(event: Event) -> None:
        for listener in heard:
            listener(event)

    return listen
