"""Shows a run's events: lines for people, a picture below them on a terminal, JSON for machines.

A listener never stops a run: when its stream is closed it falls silent.
"""

from __future__ import annotations

import json
import sys
from contextlib import suppress
from dataclasses import asdict, is_dataclass
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
    Vitals,
)
from runner.execute.picture import Picture, after, describe_progress, describe_vitals, draw
from runner.quoting import one_line
from runner.screen import harmless

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import TextIO

    from rich.live import Live


def text_listener(stream: TextIO) -> Listener:
    """Lines for people."""
    return _silent_when_closed(_Lines(stream))


def json_listener(stream: TextIO) -> Listener:
    """One JSON object a line: the event's name, the time, and its fields."""

    def write(event: Event) -> None:
        fields = asdict(event) if is_dataclass(event) else event._asdict()
        entry = {
            "event": type(event).__name__,
            "at": datetime.now(UTC).isoformat(timespec="milliseconds"),
            **fields,
        }
        stream.write(json.dumps(entry, ensure_ascii=False, default=asdict) + "\n")
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
            line = f"    {one_line(event.reason)}; try {event.attempt + 1} in {event.pause:.2f} s"
            return "\n".join([line, *(f"    in the way: {b}" for b in event.blockers)])
        case TableHeld():
            return "\n".join(f"    waiting, not queueing: {holder}" for holder in event.holders)
        case BlockerCancelled():
            return f"    cancelled {event.blocker}"
        case BackfillHeld():
            return f"    waiting: {event.reason}"
        case InvalidIndexDropped():
            return f"    dropped index {event.index}, left by a build that did not finish"
        case Noticed():
            # What the message says begins no line of ours.
            message = event.message.replace("\n", "\n        ")
            return f"    {event.severity}: {message}"
        case Progress():
            return f"    {describe_progress(event)}"
        case Vitals():
            told = describe_vitals(event)
            return f"    {told}" if told else ""
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
        self._vitals: Vitals | None = None

    def __call__(self, event: Event) -> None:
        if isinstance(event, Vitals):
            self._vitals = event
            return
        line = describe(event)
        if isinstance(event, Progress):
            now = event.migration, int(event.share * 100)
            if self._told and self._told[0] == now[0] and now[1] <= self._told[1]:
                return
            self._told = now
            if self._vitals and self._vitals.migration == event.migration:
                line = "; ".join(filter(None, [line, describe_vitals(self._vitals)]))
        if line:
            self._stream.write(harmless(line) + "\n")
            self._stream.flush()


class _Terminal:
    """Lines, and below them the picture of the run until it ends."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._lines: _Lines = _Lines(stream)
        self._picture = Picture()
        self._live: Live | None = None

    def __call__(self, event: Event) -> None:
        self._picture = after(self._picture, event)
        if isinstance(event, RunStarted):
            self._lines(event)
            self._begin()
        elif isinstance(event, RunDone):
            self.end()
            self._lines(event)
        elif self._live is None:
            self._lines(event)
        elif not isinstance(event, Progress | Vitals) and (line := describe(event)):
            self._live.console.print(harmless(line), markup=False, highlight=False, soft_wrap=True)
            self._live.refresh()  # else what is printed below would be of the event before

    def _begin(self) -> None:
        from rich.console import Console
        from rich.live import Live

        self._live = Live(
            console=Console(file=self._stream),
            get_renderable=lambda: draw(self._picture),
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
        )
        self._live.start()

    def end(self) -> None:
        """Take the picture away; its terminal is as it was."""
        if self._live is not None:
            self._live.stop()
        self._live = None


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


class Heard:
    """The listeners of a verb that runs files.

    Args:
        log_format: text or json, on standard error.
        quiet: tell nothing there.
        others: further ones.
    """

    def __init__(self, log_format: str, *, quiet: bool, others: Iterable[Listener]) -> None:
        """Begin to tell."""
        self._heard = [*others]
        self._terminal: _Terminal | None = None
        if log_format == "json" and not quiet:
            self._heard.append(json_listener(sys.stderr))
        elif not quiet and sys.stderr.isatty():
            self._terminal = _Terminal(sys.stderr)
            self._heard.append(_silent_when_closed(self._terminal))
        elif not quiet:
            self._heard.append(text_listener(sys.stderr))

    def __call__(self, event: Event) -> None:
        """Tell each of them."""
        for listener in self._heard:
            listener(event)

    def end(self) -> None:
        """Leave the terminal as it was."""
        if self._terminal is not None:
            with suppress(OSError, ValueError):
                self._terminal.end()
