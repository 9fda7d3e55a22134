"""Python's cyclic garbage collector, put off while some rows become entities.

Every few hundred new objects the collector walks the young ones, and now and then all of them: of a
large result most of the time goes there, and it finds nothing, since no row is in a cycle. Put off
for a few chunks, it walks each new object once, at their end, as young as it is: what is garbage
by then is collected then. Its thresholds, its counts and its generations are left alone.

That takes a few milliseconds and waits for nothing. Only one is put off for at a time, so that
threads that read one after the other cannot keep the collector from running.
"""

from __future__ import annotations

import gc
import threading
from types import TracebackType

_one_at_a_time = threading.Lock()


class PutOff:
    """Puts the collector off while it is entered, unless somebody does or it is off already."""

    __slots__ = ("_is_mine",)

    def __enter__(self) -> None:
        self._is_mine = gc.isenabled() and _one_at_a_time.acquire(blocking=False)
        if self._is_mine:
            gc.disable()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        if self._is_mine:
            gc.enable()
            _one_at_a_time.release()
