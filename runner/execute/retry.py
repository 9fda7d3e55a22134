"""When a failed try is worth another, and how long to wait before it."""

from __future__ import annotations

import random
import time
from dataclasses import dataclass, field

from psycopg import Error

FIRST_PAUSE = 0.05
LONGEST_PAUSE = 5.0

# lock_not_available, deadlock_detected, serialization_failure: others were in the way, and
# PostgreSQL undid what was not committed.
_RETRYABLE = frozenset({"55P03", "40P01", "40001"})


def retryable(error: Error) -> bool:
    """Tell whether the same statement may succeed a moment later."""
    return error.sqlstate in _RETRYABLE


@dataclass
class Patience:
    """How long one file goes on trying: exponential backoff with full jitter, and an end.

    Args:
        deadline: seconds from the first failed try, or the first wait, to giving up.
    """

    deadline: float
    attempts: int = 0
    _since: float | None = field(default=None, init=False)
    _pause: float = field(default=FIRST_PAUSE, init=False)

    def begin(self) -> None:
        """Let the deadline run from now, unless it runs already."""
        if self._since is None:
            self._since = time.monotonic()

    def next_pause(self, *, advanced: bool = False) -> float | None:
        """Count a failed try.

        Args:
            advanced: True when the failed try committed some of its work; then the patience
                begins anew.

        Returns:
            Seconds to wait before the next try, None when there is to be none.
        """
        if advanced:
            self._since, self._pause = None, FIRST_PAUSE
        self.begin()
        self.attempts += 1
        if self.remaining() <= 0:
            return None
        # The jitter keeps the tries from falling in step with a client's own rhythm.
        pause = random.uniform(self._pause / 2, self._pause)
        self._pause = min(self._pause * 2, LONGEST_PAUSE)
        return min(pause, self.remaining())

    def remaining(self) -> float:
        """Seconds until the deadline."""
        if self._since is None:
            return self.deadline
        return self._since + self.deadline - time.monotonic()
