"""What was sent, and what became of it at each stage of the conversion, as data."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Stage(Enum):
    """A moment of the conversion at which the old release sends its statements."""

    NOW = "now"
    EXPANDED = "after expand"
    SWITCHED = "after switch"


class Verdict(Enum):
    """What a statement meets that worked before."""

    FAILS = "fails"
    DIFFERS = "answers otherwise"
    MAYBE = "may fail"  # it depends on values that nothing has recorded


@dataclass(frozen=True, slots=True)
class Sent:
    """A statement that a client has sent, or that a routine or view of the database holds.

    Args:
        text: the SQL; `$1` stands for a value.
        source: where it is from, for people: `pg_stat_statements`, a file, `function public.f`.
        calls: how often it was sent; None where that is not known.
        search_path: what unqualified names were looked up in; empty for the server's own.
        values: of its parameters, by their order, as a log has them; empty when they are not known.
        routine: a key of the function, trigger or view that holds it; None for a client's.
        trial: what is run to try it, where that is not the text itself.
    """

    text: str
    source: str
    calls: int | None = None
    search_path: str = ""
    values: tuple[str | None, ...] = ()
    routine: str | None = None
    trial: str = ""


@dataclass(frozen=True, slots=True)
class Refusal:
    """A statement that works now and does not at a later stage.

    Args:
        sent: the statement.
        tables: the converted tables that it is about, by their old names.
        stage: one at which it does not work.
        verdict: how sure that is.
        message: the server's words, or what differs.
        advice: what to do.
        defines: it changes a definition, as a migration of the service does.
    """

    sent: Sent
    tables: tuple[str, ...]
    stage: Stage
    verdict: Verdict
    message: str
    advice: str
    defines: bool = False

    @property
    def is_of_expand(self) -> bool:
        """Whether a client of the old release fails as soon as expand is done."""
        return self.stage is Stage.EXPANDED and self.verdict is Verdict.FAILS and not self.defines


@dataclass(frozen=True, slots=True)
class Workload:
    """What was tried and what was found.

    Args:
        tried: how many statements of each source were tried.
        from_clients: how many of them clients have sent.
        refusals: those that fail later, by stage and table.
        not_tried: statements that could not be tried, each with why.
        not_looked_at: what nothing is said about, each with the way to it.
        stages: those that were reached; without SWITCHED nothing is said of the switch.
        at_expand: the tables whose old names are views after expand already.
    """

    tried: tuple[tuple[str, int], ...] = ()
    from_clients: int = 0
    refusals: tuple[Refusal, ...] = ()
    not_tried: tuple[tuple[Sent, str], ...] = ()
    not_looked_at: tuple[str, ...] = ()
    stages: tuple[Stage, ...] = ()
    at_expand: tuple[str, ...] = ()

    @property
    def count(self) -> int:
        """How many statements were tried."""
        return sum(number for _, number in self.tried)

    def at(self, stage: Stage) -> tuple[Refusal, ...]:
        """What does not work as it did at a stage."""
        return tuple(r for r in self.refusals if r.stage is stage)
