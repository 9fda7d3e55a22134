"""`trueup status --watch`: the picture of a run on a terminal; elsewhere lines when they change."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

from runner.execute.events import Progress
from runner.execute.pace import Pace
from runner.execute.picture import Picture, draw
from runner.execute.underway import Underway, describe
from runner.screen import harmless

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import TextIO

_ABOVE = 7  # lines: the picture, and what parts it from what is told below


def show(looks: Iterable[Underway], stream: TextIO, *, everything: bool = False) -> None:
    """Show a database until the looks end, or the user ends them.

    Args:
        looks: at it, one after the other.
        stream: where to.
        everything: all of it, not what fits a screen.
    """
    if not stream.isatty():
        _show_lines(looks, stream, everything)
        return
    from rich.console import Console, Group
    from rich.live import Live
    from rich.text import Text

    pace = Pace()
    console = Console(file=stream)
    with Live(
        console=console, auto_refresh=False, redirect_stdout=False, redirect_stderr=False
    ) as live:
        for found in looks:
            picture = picture_of(found, pace)
            others = tuple(b for b in found.backfills if b.file != picture.file)
            below = describe(
                replace(found, backfills=others),
                everything=everything,
                room=console.height - _ABOVE,
            )
            live.update(
                Group(draw(picture), "", Text(harmless(below), overflow="fold")), refresh=True
            )


def picture_of(underway: Underway, pace: Pace) -> Picture:
    """What a run's own terminal shows, as far as it can be told from its database.

    Args:
        underway: a look at it.
        pace: of the looks before.
    """
    run = underway.run
    if run is None or not run.file:
        return Picture(underway.phases)
    phases = {status.migration: status.phase for status in underway.migrations}
    progress = None
    for walked in underway.backfills:
        if walked.file == run.file and walked.share < 1:
            rate, left = pace.see(walked.file, walked.seconds, walked.rows_done, walked.share)
            progress = Progress(
                walked.file, walked.table_name, walked.rows_done, walked.share, rate, left
            )
    return Picture(
        underway.phases,
        file=run.file,
        phase=phases.get(run.file, ""),
        begun=time.monotonic() - run.seconds,
        progress=progress,
        vitals=run.vitals,
    )


def _show_lines(looks: Iterable[Underway], stream: TextIO, everything: bool) -> None:
    """A log: all of it again, but only when something changed."""
    told = ""
    for found in looks:
        text = describe(found, everything=everything)
        if text != told:
            stream.write(harmless(text) + "\n")
            stream.flush()
        told = text
