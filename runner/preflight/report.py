"""What a preflight found, as data: for the terminal, for JSON, for other code."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

from runner.quoting import Name
from runner.workload import Workload

SAMPLES = 5  # at most, for each finding
SHOWN = 200  # characters of a sample


class Severity(Enum):
    """Whether a finding stops the conversion."""

    STOPS = "stops"
    KNOW = "know"  # loses nothing, but the operator has to know it


@dataclass(frozen=True, slots=True)
class Sample:
    """A value that was found, and in how many rows; None when that was not counted."""

    value: str | None
    rows: int | None = None


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that a preflight found.

    Args:
        severity: whether it stops the conversion.
        object: what it is about: a column, a table, a view, a role.
        problem: what is wrong, as the end of a sentence that begins with the object.
        rows: how many rows it concerns, None when it is not about rows.
        samples: up to five of the values, the most frequent first.
        sql: the query that shows the rows, or the objects.
        hint: the next step.
    """

    severity: Severity
    object: str
    problem: str
    rows: int | None = None
    samples: tuple[Sample, ...] = ()
    sql: str | None = None
    hint: str | None = None


@dataclass(frozen=True, slots=True)
class TableRead:
    """A table whose rows were read: how many, its size with indexes in bytes, and how long."""

    name: Name
    new_name: Name
    rows: int
    size: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Report:
    """Everything that a preflight found, the findings that stop the conversion first.

    Args:
        service: whose standard it is.
        findings: what was found.
        tables: those whose rows were read.
        only_window: which tables the online strategy leaves, and why.
        workload: what became of the statements of clients.
        strategy: by which the conversion is to go.
    """

    service: str
    findings: tuple[Finding, ...]
    tables: tuple[TableRead, ...]
    only_window: str = ""
    workload: Workload = field(default_factory=Workload)
    strategy: str = "online"

    @property
    def ready(self) -> bool:
        """Whether nothing stops the conversion."""
        return not self.stops

    @property
    def left(self) -> str:
        """Which tables the strategy leaves, and why; empty for none."""
        return self.only_window if self.strategy == "online" else ""

    @property
    def stops(self) -> tuple[Finding, ...]:
        """The findings that stop the conversion."""
        return tuple(f for f in self.findings if f.severity is Severity.STOPS)
