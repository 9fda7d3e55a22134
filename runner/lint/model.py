"""What a rule is, and what it finds."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from runner.lint.context import Chain, Context
    from runner.lint.steps import Step

Level = Literal["error", "warning", "style"]
LEVELS: tuple[Level, ...] = ("error", "warning", "style")


@dataclass(frozen=True, order=True)
class Edit:
    """A change of a file's text.

    Args:
        start: characters of the file before it.
        end: characters before what comes after it; the same when nothing is taken out.
        text: what stands there then.
    """

    start: int
    end: int
    text: str


@dataclass(frozen=True)
class Hit:
    """What a rule tells the engine: where, and what is wrong there.

    Args:
        message: what happens to a live database, naming the object.
        step: the statement or part of one; None for the whole file.
        path: for a finding about a whole file, the file when it is not the one being read.
        offset: characters before the place in the file, when it is not where the step begins.
        names: values for the rule's safe way beside the step's own table, column and name: names
            as the catalog holds them, or pieces of SQL.
        instead: the safe way when it is not the rule's own.
        level: when it is not the rule's own.
        edits: changes of the file that are the safe way and change nothing else.
    """

    message: str
    step: Step | None = None
    path: Path | None = None
    offset: int | None = None
    names: dict[str, str] = field(default_factory=dict)
    instead: str | None = None
    level: Level | None = None
    edits: tuple[Edit, ...] = ()


@dataclass(frozen=True)
class Rule:
    """One thing that should not be in a migration. Every file in rules/ defines one.

    Args:
        name: what an ignore comment calls it.
        level: error: stops clients, loses data or fails; warning: does so under conditions
            that the file does not show; style: costs later.
        title: one line for people who scan.
        why: what happens, and the reason in PostgreSQL.
        instead: the safe way as SQL; {table}, {column}, {name} stand for what was found, as
            runner.lint.suggest fills it in.
        flagged: examples that it flags. Several files in one: `-- file: NAME` begins each.
        passed: examples that it lets pass.
        step: looks at one step; called for the verbs named.
        verbs: the steps to look at; empty for all.
        script: looks at the whole of one file.
        chain: looks at all files once, after the last one.
        new_tables: looks at tables that the same file created, too.
        window: looks at files of the phase window, too, which stop the clients on purpose.
        rollback: looks at rollback files, too.
        squawk: rules of Squawk that find the same, with less knowledge of the other files.
    """

    name: str
    level: Level
    title: str
    why: str
    instead: str
    flagged: tuple[str, ...]
    passed: tuple[str, ...]
    step: Callable[[Step, Context], Iterable[Hit]] | None = None
    verbs: frozenset[str] = frozenset()
    script: Callable[[Context], Iterable[Hit]] | None = None
    chain: Callable[[Chain], Iterable[Hit]] | None = None
    new_tables: bool = False
    window: bool = True
    rollback: bool = False
    squawk: tuple[str, ...] = ()


@dataclass(frozen=True)
class Finding:
    """One place in one file, and what is wrong with it.

    Args:
        rule: name of the rule.
        level: error, warning or style.
        path: the file.
        line: counted from 1.
        column: counted from 1.
        end_line: the last line of the statement.
        message: what is wrong here.
        why: the reason in general.
        instead: the safe way as SQL.
        source: who found it: trueup, squawk or trace.
        edits: changes of the file that `--fix` makes.
    """

    rule: str
    level: Level
    path: Path
    line: int
    column: int
    end_line: int
    message: str
    why: str
    instead: str
    source: str = "trueup"
    edits: tuple[Edit, ...] = ()

    @property
    def place(self) -> tuple[str, int, int, str]:
        """What findings are sorted by."""
        return (str(self.path), self.line, self.column, self.rule)
