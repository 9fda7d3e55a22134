"""What the demo measured."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Sample:
    """One transaction of a client.

    Args:
        ended: on the monotonic clock, in seconds.
        seconds: how long it took.
        name: what it was.
        error: empty when it went well.
    """

    ended: float
    seconds: float
    name: str
    error: str


@dataclass(frozen=True, slots=True)
class Phase:
    """A stretch of the demo, on the monotonic clock."""

    name: str
    begun: float
    ended: float


@dataclass
class Result:
    """What the demo measured."""

    rows: int
    version: tuple[int, int]
    phases: list[Phase] = field(default_factory=list)
    samples: dict[str, list[Sample]] = field(default_factory=lambda: {"old": [], "new": []})
    before: dict[str, dict[str, Any]] = field(default_factory=dict)
    after: dict[str, dict[str, Any]] = field(default_factory=dict)
    distances: list[str] = field(default_factory=list)
    counted: int = 0

    @property
    def failed(self) -> int:
        """How many transactions of both clients failed."""
        return sum(bool(s.error) for samples in self.samples.values() for s in samples)

    @property
    def acknowledged(self) -> int:
        """How many increments of the shared counter the clients saw succeed."""
        return sum(
            s.name == "count" and not s.error for samples in self.samples.values() for s in samples
        )
