"""The window strategy: the same result in one rewrite of each table, while nobody uses them."""

from __future__ import annotations

from collections.abc import Sequence

from runner.generate import split
from runner.generate.files import File
from runner.generate.kinds import rows, trial
from runner.generate.kinds.toolkit import toolkit
from runner.generate.locks import is_large
from runner.generate.statement import lock
from runner.generate.templates import template
from runner.generate.unit import UnitView, listed
from runner.postgres.locks import LockMode
from runner.quoting import Name


def files(units: Sequence[UnitView]) -> list[File]:
    """The files of the window strategy, in their order."""
    if not units:
        return []
    first = toolkit("window", "window")
    found = [first]
    checks: dict[Name, File] = {}
    trials: dict[Name, File] = {}
    for u in units:
        for t in u.tables:
            if t.is_checked:
                checks[t.new] = rows.check(t, "window", "window", [first])
                found.append(checks[t.new])
        if trial.is_possible(u):
            trials[u.tables[0].new] = trial.check(u, "window", "window", [first])
            found.append(trials[u.tables[0].new])
    for u in units:
        checked = {t.new: checks.get(t.new, first) for t in u.tables}
        tried = trials.get(u.tables[0].new)
        if is_large(u):
            found += split.files(u, _subject(u), first, checked, tried)
            continue
        after = [checked[t.new] for t in u.tables if t.is_checked] or [first]
        found.append(_unit(u, [*after, *([tried] if tried else [])]))
        if any(t.columns for t in u.tables):
            found.append(_analyze(u, found[-1:]))
    return found


def _subject(u: UnitView) -> str:
    stems = [t.stem for t in u.tables]
    return "_and_".join(stems) if len(stems) < 3 else f"{stems[0]}_and_{len(stems) - 1}_more"


def _unit(u: UnitView, after: Sequence[File]) -> File:
    old, new = [t.old.name for t in u.tables], [t.new.name for t in u.tables]
    again = f"; makes again: {listed(d.label for d in u.dependents)}" if u.dependents else ""
    return File(
        unlike=f"unit {u.tables[0].new}",
        folder="window",
        phase="window",
        subject=_subject(u),
        title=f"Turn {', '.join(old)} into {', '.join(new)} in one go.",
        does="converts every column of a table in one ALTER TABLE; keeps the spellings "
        f"that cannot be derived back in a reversal table{again}",
        held=" until it is done; gives up after 200 ms when it cannot have them",
        cost="rewrites each table and its indexes once",
        undo="the same again in the other direction, byte for byte",
        body=template(
            "window_unit.sql",
            [lock(LockMode.ACCESS_EXCLUSIVE, t.old, said=t.whole(t.old.name)) for t in u.tables],
            u=u,
        ),
        rollback=template("window_unit.rollback.sql", u=u),
        back=f"Turns {', '.join(new)} back into {', '.join(old)}, byte for byte.",
        after=after,
    )


def _analyze(u: UnitView, after: Sequence[File]) -> File:
    return File(
        unlike=f"analyze unit {u.tables[0].new}",
        folder="window",
        phase="window",
        subject=f"{u.tables[0].stem}_analyze",
        title="Tell the planner about the new columns.",
        does="samples the tables anew",
        cost="reads a sample",
        undo="nothing to undo",
        body=template(
            "window_analyze.sql",
            [lock(LockMode.SHARE_UPDATE_EXCLUSIVE, t.new) for t in u.tables],
            tables=u.tables,
        ),
        back="no-op: statistics are no part of a contract.",
        after=after,
    )
