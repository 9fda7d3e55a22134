"""Who listens to a run, once it says something: one with nothing to do has no need of them."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from runner.execute.events import Event, Listener
    from runner.execute.listeners import Heard


@contextmanager
def listening(
    log_format: str, *, quiet: bool = False, metrics: Path | None = None
) -> Iterator[Listener]:
    """The listener of a verb that runs files, for as long as it does.

    Args:
        log_format: text or json, on standard error.
        quiet: tell nothing there.
        metrics: a file to keep at how the run goes, as OpenMetrics text.

    Raises:
        UsageError: the file cannot be written.
    """
    others: list[Listener] = []
    if metrics:
        from runner.execute.metrics import metrics_listener

        others.append(metrics_listener(metrics))
    heard: Heard | None = None

    def listen(event: Event) -> None:
        nonlocal heard
        if heard is None:
            # Imported late: a run with nothing to do says nothing.
            from runner.execute.listeners import Heard

            heard = Heard(log_format, quiet=quiet, others=others)
        heard(event)

    try:
        yield listen
    finally:
        if heard is not None:
            heard.end()
