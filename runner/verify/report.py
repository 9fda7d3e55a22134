"""How far a database is from its standard, as data."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from runner.ledger.spellings import KeptSpellings
from runner.quoting import Name


class State(Enum):
    """Which contracts a table serves."""

    OLD = "old contract"
    BOTH = "both contracts live"
    SWITCHED = "both contracts live, switched"
    NEW = "new contract"
    MISSING = "missing"


class Standing(Enum):
    """Where a database stands as a whole; what a script asks for by the exit code."""

    AT_STANDARD = "at the standard"
    UNDER_WAY = "under way: later phases do what is left"
    NOT_BEGUN = "not begun"
    FAULTY = "in a state that no phase leaves"


@dataclass(frozen=True, slots=True)
class Distance:
    """One thing that is not as the standard has it.

    Args:
        table: the table's name under the standard; None for what belongs to no table of it.
        object: the thing.
        expected: how it should be.
        found: how it is.
        left_for: the phase that still has to do it; None when no phase is known to.
    """

    table: Name | None
    object: str
    expected: str
    found: str
    left_for: str | None = None

    def __str__(self) -> str:
        return f"{self.object}: expected {self.expected}, found {self.found}"


@dataclass(frozen=True, slots=True)
class Verification:
    """The state of each table of a standard, and every distance to it.

    Args:
        service: whose standard it is.
        states: by the tables' names under the standard.
        distances: empty when the database is at the standard. Who knows of more, such as drift
            from the applied files, adds it with `dataclasses.replace`.
        kept: the old spellings that are kept for a rollback: no distance, but to be known.
    """

    service: str
    states: tuple[tuple[Name, State], ...]
    distances: tuple[Distance, ...]
    kept: tuple[KeptSpellings, ...] = ()

    @property
    def at_standard(self) -> bool:
        """Whether nothing is left."""
        return not self.distances

    @property
    def faults(self) -> tuple[Distance, ...]:
        """The distances that no phase will fix."""
        return tuple(d for d in self.distances if d.left_for is None)

    @property
    def standing(self) -> Standing:
        """Where it stands as a whole."""
        if self.at_standard:
            return Standing.AT_STANDARD
        begun = {state for _, state in self.states} - {State.OLD, State.MISSING}
        if not begun:
            return Standing.NOT_BEGUN
        return Standing.FAULTY if self.faults else Standing.UNDER_WAY

    @property
    def exit_code(self) -> int:
        """What `trueup verify` exits with: 0 at the standard, 6 under way, else 1."""
        return {Standing.AT_STANDARD: 0, Standing.UNDER_WAY: 6}.get(self.standing, 1)

    def of(self, table: Name | None) -> tuple[Distance, ...]:
        """The distances of one table."""
        return tuple(d for d in self.distances if d.table == table)
