"""What is going on now, in a few lines: the same for `apply` and `status --watch`."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from runner.execute.events import (
    RESTS,
    AttemptFailed,
    BackfillHeld,
    Event,
    FileDone,
    FileStarted,
    Phase,
    Progress,
    RunStarted,
    TableHeld,
    Vitals,
    percent,
)
from runner.screen import harmless

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rich.console import Group, RenderableType
    from rich.text import Text

_BEFORE = ("baseline", "toolkit", "check")  # of which nobody asks any more once they are done
_BAR = 60  # columns, so that the share stands beside it on a terminal of 80


@dataclass(frozen=True)
class Picture:
    """Where a migration is, and how the server bears it.

    Args:
        phases: how far each is.
        back: whether files are rolled back.
        file: the migration that runs now; empty between two.
        phase: its phase.
        begun: when it began, as time.monotonic() tells it; None when nobody knows.
        progress: how far it is, of a backfill.
        vitals: how the server bears it.
        waits: what it waits for, or why it rests.
    """

    phases: tuple[Phase, ...] = ()
    back: bool = False
    file: str = ""
    phase: str = ""
    begun: float | None = None
    progress: Progress | None = None
    vitals: Vitals | None = None
    waits: str = ""


def phases_of(files: Iterable[tuple[str, bool]]) -> tuple[Phase, ...]:
    """How far each phase is, in the order in which the files name them.

    Args:
        files: the phase of each, and whether it is applied.
    """
    found: dict[str, Phase] = {}
    for name, done in files:
        phase = found.get(name, Phase(name, 0, 0))
        found[name] = replace(phase, files=phase.files + 1, done=phase.done + done)
    return tuple(found.values())


def after(picture: Picture, event: Event) -> Picture:
    """The picture once an event has happened."""
    match event:
        case RunStarted():
            return Picture(event.phases, back=event.operation == "ROLLBACK")
        case FileStarted():
            return replace(
                picture,
                file=event.migration,
                phase=event.phase,
                begun=time.monotonic(),
                progress=None,
                vitals=None,
                waits="",
            )
        case Progress():
            moved = picture.progress is None or event.rows > picture.progress.rows
            waits = "" if moved and picture.waits != RESTS else picture.waits
            return replace(picture, progress=event, waits=waits)
        case Vitals():
            return replace(picture, vitals=event)
        case AttemptFailed():
            return replace(picture, waits=f"{event.reason}; try {event.attempt + 1}")
        case TableHeld():
            return replace(picture, waits="; ".join(event.holders))
        case BackfillHeld():
            return replace(picture, waits=event.reason)
        case FileDone():
            step = -1 if picture.back else 1
            phases = tuple(
                replace(p, done=p.done + step) if p.name == event.phase else p
                for p in picture.phases
            )
            return replace(picture, phases=phases, file="", begun=None, progress=None, waits="")
        case _:
            return picture


def describe_progress(progress: Progress) -> str:
    """How far a long file is, in words."""
    left = progress.seconds_left
    coming = "" if left is None else f", {_duration(left)} left"
    fast = progress.rows_per_second
    rate = f", {fast:,.0f} rows/s" if fast >= 1 else ""  # not measured yet, right at the start
    return f"{progress.table}: {percent(progress.share)}, {progress.rows:,} rows{rate}{coming}"


def describe_vitals(vitals: Vitals) -> str:
    """How the server bears it, in words; empty when nothing is known."""
    parts = []
    if vitals.commit_median is not None and vitals.commit_p99 is not None:
        median, p99 = vitals.commit_median * 1000, vitals.commit_p99 * 1000
        parts.append(f"commit latency: median {median:.1f} ms, p99 {p99:.1f} ms")
    if vitals.lag is not None:
        parts.append(f"standby {vitals.standby or '?'}: {vitals.lag:.1f} s behind")
    return "; ".join(parts)


def draw(picture: Picture) -> Group:
    """The picture, for a terminal of any width."""
    from rich.console import Group
    from rich.progress_bar import ProgressBar
    from rich.table import Table
    from rich.text import Text

    def line(text: str, style: str = "") -> Text:
        return Text(harmless(text), style, no_wrap=True, overflow="ellipsis")

    shown: list[RenderableType] = [_phases(picture)]
    if picture.file:
        took = "" if picture.begun is None else f", {_duration(time.monotonic() - picture.begun)}"
        shown.append(line(f"{picture.file}{took}", "bold"))
    if picture.progress:
        row = Table.grid(padding=(0, 1))
        row.add_column(ratio=1)
        row.add_column()
        bar = ProgressBar(total=1.0, completed=picture.progress.share, width=_BAR)
        row.add_row(bar, percent(picture.progress.share))
        shown += [row, line(describe_progress(picture.progress))]
    if picture.vitals and (told := describe_vitals(picture.vitals)):
        shown.append(line(told))
    if picture.waits:
        shown.append(line(f"waiting: {picture.waits}", "yellow"))
    return Group(*shown)


def _phases(picture: Picture) -> Text:
    """All phases on one line; the one that runs is marked without color, too."""
    from rich.text import Text

    parts = []
    for phase in picture.phases:
        if phase.name in _BEFORE and phase.done == phase.files and len(picture.phases) > 1:
            continue  # so that the others fit a line of 80 columns
        name = phase.name or "files"
        done = phase.done == phase.files
        now = bool(picture.file) and phase.name == picture.phase
        text = f"{name} done" if done else f"{name} {phase.done}/{phase.files}"
        parts.append(
            Text(f"> {text}" if now else text, "bold cyan" if now else "green" if done else "dim")
        )
    return Text("  ").join(parts)


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
