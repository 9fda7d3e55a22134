"""What stands on converted columns: taken off, and made again on the new ones."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Protocol

from runner.errors import StandardError
from runner.generate.closure import Closure
from runner.generate.dependent import DependentChange, Standing
from runner.generate.files import File
from runner.generate.kinds import function, policy, rule, statistics, trigger, view
from runner.generate.kinds.look import in_old_look
from runner.generate.model import Obstacle, TableChange
from runner.generate.statement import BRIEFLY, Lock, Paragraph, Statement, lock, taken_back
from runner.generate.unit import Unit, listed
from runner.postgres.locks import LockMode
from runner.quoting import Name, quote_ident, quote_name


class _Kind(Protocol):
    """What the module of a kind answers."""

    def change(self, o: Standing, /) -> DependentChange: ...

    def obstacles(self, o: Standing, /) -> Iterator[Obstacle]: ...


_KINDS: dict[str, _Kind] = {
    "view": view,
    "materialized view": view,
    "policy": policy,
    "trigger": trigger,
    "rule": rule,
    "statistics": statistics,
    "function": function,
}

_HELD = " for a few ms; gives up after 200 ms when it cannot have them"


def changes(closure: Closure, tables: frozenset[Name]) -> tuple[DependentChange, ...]:
    """What is made again with these tables, in the order in which it can be made.

    Raises:
        StandardError: it cannot be told what a definition would mean afterwards.
    """
    return tuple(_KINDS[o.kind].change(o) for o in closure.standing(tables))


def obstacles(closure: Closure, tables: frozenset[Name]) -> Iterator[Obstacle]:
    """What stands on converted columns of these tables and cannot be made again."""
    for o in closure.converted(tables):
        if o.host is None:
            yield o.obstacle(f"{o.on_columns}, and lies in a schema that was not read")
            continue
        kind = _KINDS[o.kind]
        # The first one tells.
        if found := next(kind.obstacles(o), None):
            yield found
            if not found.online_only:
                continue
        try:
            kind.change(o)
        except StandardError as error:
            problem = error.message.removeprefix(o.label).removeprefix(":").strip()
            yield o.obstacle(problem, error.hint or "")


# The statements, for the files of both strategies.


def off(dependents: Sequence[DependentChange], *, old: bool) -> Paragraph:
    """What takes objects off, while the tables have their old or their new names."""
    return [s for d in reversed(dependents) for s in d.off(old=old)]


def on(u: Unit, dependents: Sequence[DependentChange], *locks: Lock) -> list[Paragraph]:
    """What makes objects on the new columns, while the tables have their new names.

    Args:
        u: their unit.
        dependents: the objects, in the order in which they can be made.
        locks: what it locks, as a header says it.
    """
    return in_old_look(u.beneath(dependents), [d.new for d in dependents], *locks)


# The files.


def build(u: Unit, d: DependentChange, after: Sequence[File]) -> Iterator[File]:
    """A materialized view of the new contract, made and filled beside the old one."""
    beside, tables = d.beside, u.beneath([d])
    assert beside is not None, d.label
    name = d.of.name.name
    file = File(
        unlike=f"build {d.of.name}",
        phase="contract",
        subject=f"{d.of.stem}_build",
        title=f"Make the materialized view {name} for the new contract, empty, beside the old one.",
        does=f"makes {beside.name} with its indexes; for a moment the tables have their "
        "old names again, in which its query is written",
        cost="none",
        undo="drops it",
        body=[
            [BRIEFLY],
            *in_old_look(
                tables,
                [beside.build],
                *(lock(LockMode.ACCESS_EXCLUSIVE, t.new) for t in tables),
            ),
        ],
        rollback=[taken_back(beside.build)],
        back="Drops the new materialized view, if it does not serve yet.",
        after=after,
    )
    yield file
    if not beside.is_filled:
        return
    yield File(
        unlike=f"fill {d.of.name}",
        phase="contract",
        subject=f"{d.of.stem}_fill",
        title=f"Fill the new {name}.",
        does="runs its query; the old one goes on serving",
        cost="that of REFRESH MATERIALIZED VIEW",
        undo="nothing to undo: it goes with the file that made it",
        body=[
            [
                Statement(
                    f"REFRESH MATERIALIZED VIEW {quote_name(beside.name)};",
                    locks=(lock(LockMode.ACCESS_SHARE, said="what it reads"),),
                )
            ]
        ],
        back="no-op: it goes with the file that made it.",
        after=[file],
    )


def contract(u: Unit, after: Sequence[File]) -> File:
    """What stood on the old columns stands on the new ones."""
    dependents = u.early
    labels = listed(d.label for d in dependents)
    tables = u.beneath(dependents)
    beneath = "them and on " + listed(t.new.name for t in tables)
    made = [d.beside.settle if d.beside else d.new for d in dependents]
    return File(
        unlike=f"dependents {u.tables[0].new}",
        phase="contract",
        subject=f"{u.tables[0].stem}_dependents",
        title="Let what stands on the old columns stand on the new ones.",
        does=f"makes again, with the same owner, grants and comments: {labels}; who uses "
        "them sees the new contract from now on",
        cost="none",
        undo="makes them on the old columns again"
        + ("; fills the materialized views under the lock" if u.stored else ""),
        body=[
            [BRIEFLY],
            *in_old_look(
                tables,
                [off(dependents, old=True), *made],
                lock(LockMode.ACCESS_EXCLUSIVE, said=beneath),
            ),
        ],
        rollback=[[BRIEFLY], *_contract_back(dependents, tables)],
        back="Lets it all stand on the old columns again.",
        after=after,
    )


def _contract_back(
    dependents: Sequence[DependentChange], tables: Sequence[TableChange]
) -> list[Paragraph]:
    """No statement's own undo: the old columns must have their names while it is made on them."""
    gone = [
        s
        for d in reversed(dependents)
        for s in (taken_back(d.beside.settle) if d.beside else d.off(old=True))
    ]
    return _on_old(dependents, tables, gone)


def _on_old(
    dependents: Sequence[DependentChange], tables: Sequence[TableChange], gone: Paragraph = ()
) -> list[Paragraph]:
    hide, show = [], []
    names = {t.old: {c.name: c.aside for c in t.columns} for t in tables}
    for t in tables:
        alter = f"ALTER TABLE {quote_name(t.old)} RENAME COLUMN"
        for c in t.columns:
            name, old, aside = map(quote_ident, (c.name, c.old_name, c.aside))
            hide += [f"{alter} {name} TO {aside};", f"{alter} {old} TO {name};"]
            show += [f"{alter} {name} TO {old};", f"{alter} {aside} TO {name};"]
    made_old = [d.on_both(names[d.of.name]) if d.on_both else d.old for d in dependents]
    before, *made, after = in_old_look(tables, made_old)
    return [
        before,
        [*gone, *map(Statement, hide)],
        *made,
        [*map(Statement, show), *after],
    ]


def with_keys(
    u: Unit, dependents: Sequence[DependentChange], change: list[Paragraph], *, back: bool = False
) -> list[Paragraph]:
    """A change of a table's keys, without objects that group by them, which are made again then.

    Args:
        u: their unit.
        dependents: the objects.
        change: what changes the keys, while the tables have their new names.
        back: whether the objects are then made on the old columns again.
    """
    if not dependents:
        return change
    tables = u.beneath(dependents)
    held = [lock(LockMode.ACCESS_EXCLUSIVE, t.new) for t in tables]
    made = (
        _on_old(dependents, tables)
        if back
        else in_old_look(tables, [d.new for d in dependents], *held)
    )
    (first, *look), *others = made
    return [[first], off(dependents, old=False), *change, look, *others]


def window_off(u: Unit, subject: str, after: Sequence[File], between: str) -> File:
    """The first file of a unit of many tables: nothing stands on their old columns.

    Args:
        u: the unit.
        subject: what the files of all its tables are named after.
        after: the files that must have run.
        between: what holds until the last file has run.
    """
    locks = tuple(lock(LockMode.ACCESS_EXCLUSIVE, t.old) for t in u.beneath(u.dependents))
    first, *others = off(u.dependents, old=True)
    return File(
        unlike=f"standing off {u.tables[0].new}",
        phase="window",
        subject=f"{subject}_standing_off",
        title="Take off what stands on converted columns.",
        does=f"drops {listed(d.label for d in u.dependents)}. {between}",
        held=_HELD,
        cost="none",
        undo="makes it again on the old columns",
        body=[[BRIEFLY], [replace(first, locks=locks), *others]],
        rollback=[[BRIEFLY], *(d.old for d in u.dependents)],
        back="Makes again on the old columns what stood there.",
        after=after,
    )


def window_on(u: Unit, subject: str, after: Sequence[File]) -> File:
    """The last file of a unit of many tables: all stands on their new columns.

    Args:
        u: the unit.
        subject: what the files of all its tables are named after.
        after: the files that must have run.
    """
    locks = (lock(LockMode.ACCESS_EXCLUSIVE, t.old) for t in u.beneath(u.dependents))
    return File(
        unlike=f"standing on {u.tables[0].new}",
        phase="window",
        subject=f"{subject}_standing_on",
        title="Let stand on the new columns what stood on the old ones.",
        does=f"makes {listed(d.label for d in u.dependents)} again",
        held=_HELD,
        cost="fills materialized views, if there are any",
        undo="drops it",
        body=[[BRIEFLY], *on(u, u.dependents, *locks)],
        rollback=[[BRIEFLY], off(u.dependents, old=False)],
        back="Takes off what stands on the new columns.",
        after=after,
    )
