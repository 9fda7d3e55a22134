"""Python's cyclic garbage collector, paused while a large result becomes entities.

Every few hundred new objects the collector walks the young ones, and now and then all of them.
200,000 rows are more than a million new objects, none of which can be in a cycle: it finds nothing
and takes half of the time. A pause is for the whole process, so it is only taken for large results,
never spans a wait for the server, and ends with the last thread that asked for it.

After it all objects count as old: a cycle among them that is garbage waits for the next full
collection, which Python starts when their number has grown by a quarter.
"""

from __future__ import annotations

import gc
import threading
from types import TracebackType

LARGE = 2_000
"""From how many rows on the collector is paused."""

_lock = threading.Lock()
_pausing = 0
_was_on = False


class Pause:
    """Keeps the collector off while it is entered; others may be entered at the same time."""

    __slots__ = ()

    def __enter__(self) -> None:
        global _pausing, _was_on
        with _lock:
            if _pausing == 0:
                _was_on = gc.isenabled()
                gc.disable()
            _pausing += 1

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        global _pausing
        with _lock:
            _pausing -= 1
            if _pausing == 0 and _was_on:
                _make_old()
                gc.enable()


def _make_old() -> None:
    """Let all objects count as old: else the next collection would walk every new one after all."""
    # What somebody froze, as a server does before it forks, must stay frozen.
    if gc.get_freeze_count() == 0:
        gc.freeze()
        gc.unfreeze()


class NoPause:
    """Leaves the collector as it is."""

    __slots__ = ()

    def __enter__(self) -> None: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None: ...


def pause_for(rows: int, *, allowed: bool) -> Pause | NoPause:
    """The pause that a result of so many rows is worth."""
    return Pause() if allowed and rows >= LARGE else NoPause()
