"""What a rule may ask while the engine walks through a chain of files."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING

from runner.lint import tree
from runner.lint.standing import Standing
from runner.lint.world import World

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from runner.lint.layouts import Pair, Script
    from runner.lint.steps import Step

_MILLISECONDS = {"us": 0.001, "ms": 1, "s": 1_000, "min": 60_000, "h": 3_600_000, "d": 86_400_000}
_UTC = frozenset({"utc", "etc/utc", "uct", "zulu", "gmt", "universal", "0"})
_DURATION = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([a-z]*)\s*")


@dataclass
class Transaction:
    """A transaction of a file as far as its steps were read.

    Args:
        explicit: begun by a BEGIN in the file.
        single: True outside a transaction, where each statement is one of its own.
        steps: the steps in it so far.
        names: what a table was called when it began, by what it is called now.
        named: the same for the table of each step.
    """

    explicit: bool = False
    single: bool = False
    steps: list[Step] = field(default_factory=list)
    names: dict[str, str] = field(default_factory=dict)
    named: dict[Step, str] = field(default_factory=dict)


@dataclass
class Chain:
    """The files that run one after the other, and what the database is after them.

    Args:
        pairs: in the order in which they run.
        world: the database after the last one.
        standing: what of it is there for sure.
    """

    pairs: Sequence[Pair]
    world: World = field(default_factory=World)
    standing: Standing = field(init=False)

    def __post_init__(self) -> None:
        """Begin with nothing there."""
        self.standing = Standing([pair.up for pair in self.pairs])


@dataclass
class Context:
    """The place in the chain that is being read.

    Args:
        chain: all of it.
        pair: the migration.
        script: the direction of it that is being read.
        world: the database before the step; for a rollback, after the whole chain.
        transaction: the one that the step runs in.
        lock_timeout: in milliseconds; 0 when none is set.
        utc: whether the file has set the time zone to UTC.
    """

    chain: Chain
    pair: Pair
    script: Script
    world: World
    transaction: Transaction
    lock_timeout: float = 0
    session_timeout: float = 0
    utc: bool = False
    session_utc: bool = False
    _places: dict[int, int] = field(default_factory=dict, repr=False)
    _looked_at: int = 0
    _has_guard: bool = False

    def later(self, step: Step) -> Iterator[Step]:
        """The steps of the file after a step."""
        found = False
        for other in self.script.steps:
            if found:
                yield other
            found = found or other is step

    def earlier(self, step: Step) -> Iterator[Step]:
        """The steps of the file before a step."""
        for other in self.script.steps:
            if other is step:
                return
            yield other

    def of_name(self, name: str) -> Sequence[Step]:
        """The steps of the file that are done to a table or object, or give it its name."""
        return _by_name(self.script).get(name, ())

    def later_of_table(self, step: Step) -> Sequence[Step]:
        """Those after a step that are done to its table, or make something of that name."""
        steps = self.of_name(step.table)
        return steps[steps.index(step) + 1 :] if step.table else ()

    def later_in_transaction(self, step: Step) -> Iterator[Step]:
        """The steps of the transaction after a step that is in it."""
        for other in self.later(step):
            ends = other.verb == "Transaction" and not other.hidden
            if ends or (self.transaction.single and other.statement is not step.statement):
                return
            yield other

    def is_new(self, table: str) -> bool:
        """Whether the same file created the table."""
        return self.world.is_new(table, self.script)

    def guarded(self, step: Step) -> bool:
        """Whether something before a step can refuse to go on; in contract, a file before may."""
        if self._follows_a_guard(step):
            return True
        if self.script.phase != "contract":
            return False
        for pair in self.chain.pairs:
            if pair.up is self.script:
                return False
            if pair.up.phase == "contract" and any(map(self.world.may_refuse, pair.up.steps)):
                return True
        return False

    def _follows_a_guard(self, step: Step) -> bool:
        """Whether a step before one is a guard; asked of one step after the other, it is quick."""
        steps = self.script.steps
        if not self._places:
            self._places = {id(other): place for place, other in enumerate(steps)}
        place = self._places.get(id(step), len(steps))
        if place < self._looked_at:
            return any(map(self.world.may_refuse, steps[:place]))
        while self._looked_at < place and not self._has_guard:
            self._has_guard = self.world.may_refuse(steps[self._looked_at])
            self._looked_at += 1
        return self._has_guard

    def follow(self, step: Step) -> None:
        """Keep the transaction and the lock timeout up to date, before the rules see the step."""
        if step.verb == "Transaction" and not step.hidden:
            self._transaction(step)
        elif step.verb == "VariableSet" and not step.hidden:
            self._variable(step)
        elif step.verb == "Select" and "lock_timeout" in step.statement.text:
            self._set_config(step)
        steps, names = self.transaction.steps, self.transaction.names
        if self.transaction.single and steps and steps[-1].statement is not step.statement:
            steps.clear()
            names.clear()
        first = names.get(step.table, step.table)
        self.transaction.named[step] = first
        if new := renamed(step):
            names.pop(step.table, None)
            names[new] = first

    def _transaction(self, step: Step) -> None:
        match tree.enum_name(step.node, "kind").removeprefix("TRANS_STMT_"):
            case "BEGIN" | "START":
                self.transaction = Transaction(explicit=True)
            case "COMMIT" | "ROLLBACK":
                self.transaction = Transaction(single=True)
                self.lock_timeout = self.session_timeout
                self.utc = self.session_utc

    def _variable(self, step: Step) -> None:
        node = step.node
        if node.name == "timezone":
            zone = str(tree.constant(node.args[0])) if node.args else ""
            self.utc = zone.lower() in _UTC
            if not node.is_local:
                self.session_utc = self.utc
            return
        if node.name != "lock_timeout":
            return
        if tree.enum_name(node, "kind") != "VAR_SET_VALUE" or not node.args:
            self.lock_timeout = self.session_timeout = 0
            return
        self._set_timeout(tree.constant(node.args[0]), local=node.is_local)

    def _set_config(self, step: Step) -> None:
        for node in tree.walk(step.node):
            if tree.kind(node) == "FuncCall" and tree.function_name(node) == "set_config":
                values = [tree.constant(argument) for argument in node.args]
                if values[0] == "lock_timeout":
                    self._set_timeout(values[1], local=values[-1] is True)

    def _set_timeout(self, value: object, *, local: bool) -> None:
        timeout = milliseconds(value)
        if not local:
            self.session_timeout = timeout
        elif self.transaction.single:
            return
        self.lock_timeout = timeout


@lru_cache(maxsize=4)
def _by_name(script: Script) -> dict[str, list[Step]]:
    found: dict[str, list[Step]] = {}
    for step in script.steps:
        for name in {step.table, new_name(step)} - {""}:
            found.setdefault(name, []).append(step)
    return found


def new_name(step: Step) -> str:
    """The name that a step gives to an object of any kind; empty when it gives none."""
    if step.verb == "Rename":
        return tree.beside(step.table, step.node.newname)
    return renamed(step)


def renamed(step: Step) -> str:
    """The name that a step gives to a table or view; empty when it gives none."""
    if step.target not in ("TABLE", "VIEW", "MATVIEW", "FOREIGN_TABLE"):
        return ""
    if step.verb == "Rename":
        return tree.beside(step.table, step.node.newname)
    return tree.table_key(step.name, tree.bare(step.table)) if step.verb == "SetSchema" else ""


def milliseconds(value: object) -> float:
    """A time as PostgreSQL's settings take it; 0 when it cannot be understood."""
    if isinstance(value, int | float):
        return float(value)
    match = _DURATION.fullmatch(str(value))
    if match is None:
        return 0
    return float(match[1]) * _MILLISECONDS.get(match[2] or "ms", 0)


def in_transaction(context: Context) -> bool:
    """Whether a step runs together with others in one transaction."""
    return not context.transaction.single
