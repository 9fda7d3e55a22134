"""How long a backfill should rest so that clients do not feel it: by how long commits take."""

from __future__ import annotations

import time
from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection

    from psycopg import Connection

KEPT = 400  # commits whose times are remembered, of each kind: those of 20 s
ENOUGH = 40  # commits of a kind after which they tell something
SLOW = 0.002  # seconds that nobody feels, however fast commits are when it rests
FELT = 0.01  # share of commits that may be slow
REST_AT_FIRST = 2.0  # to how long it worked, as are the next two
LEAST_REST = 1.0
LONGEST_REST = 9.0


class Pulse:
    """Commits as clients do, while a backfill works and while it rests, and compares the times.

    Args:
        connection: in autocommit mode; its commits wait for disk and standbys as clients' do.
        migration: the backfill's id, the key of its row in trueup.progress.
    """

    def __init__(self, connection: Connection, migration: str) -> None:
        """Begin without any commit."""
        self._connection = connection
        self._migration = migration
        self._recent: deque[float] = deque(maxlen=KEPT)
        self._working: deque[float] = deque(maxlen=KEPT)
        self._resting: deque[float] = deque(maxlen=KEPT)

    def beat(self, *, working: bool) -> None:
        """Commit once, without changing anything.

        Args:
            working: whether the backfill works at this moment.
        """
        begun = time.monotonic()
        # A row's lock is written to the WAL, and its commit waits for the disk.
        locked = self._connection.execute(
            "SELECT FROM trueup.progress WHERE file = %s FOR UPDATE SKIP LOCKED", [self._migration]
        ).rowcount
        if locked:
            taken = time.monotonic() - begun
            self._recent.append(taken)
            (self._working if working else self._resting).append(taken)

    @property
    def felt(self) -> tuple[float, float] | None:
        """What half and what 99 in 100 of the last commits took at most, in seconds."""
        if not self._recent:
            return None
        taken = sorted(self._recent)
        return taken[len(taken) // 2], taken[len(taken) * 99 // 100]

    @property
    def rest(self) -> float:
        """How long to rest, to how long it worked."""
        return rest_after(self._working, self._resting)


def rest_after(working: Collection[float], resting: Collection[float]) -> float:
    """How long to rest for only FELT of all commits to be slow.

    Slow is a commit that takes more than twice as long as one in twenty does at rest.

    Args:
        working: seconds that commits took while a backfill worked.
        resting: and while it rested.

    Returns:
        The rest's time to that of the work.
    """
    if min(len(working), len(resting)) < ENOUGH:
        return REST_AT_FIRST
    limit = max(SLOW, 2 * sorted(resting)[len(resting) * 95 // 100])
    slow = sum(taken > limit for taken in working) / len(working)
    return min(LONGEST_REST, max(LEAST_REST, slow / FELT - 1))
