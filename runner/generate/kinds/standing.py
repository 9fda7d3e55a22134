"""What stands on converted columns: tried before anything changes, then made again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from runner.generate.files import File
from runner.generate.model import DependentChange
from runner.generate.statement import lock
from runner.generate.templates import template
from runner.generate.unit import UnitView, listed
from runner.postgres.locks import LockMode
from runner.quoting import Name


def check(u: UnitView, folder: str, phase: str, after: Sequence[File]) -> File:
    """The refusal of what could not be made on the new columns, before anything changes."""
    labels = listed(d.label for d in u.trial)
    untried = listed(d.label for d in u.dependents if d.is_untried)
    return File(
        unlike=f"check dependents {u.tables[0].new}",
        folder=folder,
        phase=phase,
        subject=f"{u.tables[0].stem}_dependents_check",
        title="Stop here when what stands on converted columns would not stand on the new ones.",
        does="makes views of the tables as both contracts show them, and on these, in the "
        f"words of each: {labels}; compares how many rows views show; drops it all again"
        + (f"; cannot try what groups by a table's key: {untried}" if untried else ""),
        cost="runs the query of each view twice",
        undo="nothing to undo",
        body=template(
            "dependents_check.sql",
            [lock(LockMode.ACCESS_SHARE, name) for name in _names(u, u.trial, old=True)],
            u=u,
        ),
        back="no-op: the file changed nothing.",
        after=after,
    )


def _names(u: UnitView, dependents: Sequence[DependentChange], *, old: bool) -> list[Name]:
    return [(t.old if old else t.new) for t in u.beneath(dependents)]


def build(u: UnitView, d: DependentChange, after: Sequence[File]) -> Iterator[File]:
    """A materialized view of the new contract, made and filled beside the old one."""
    name = d.name.name
    file = File(
        unlike=f"build {d.name}",
        folder="online/contract",
        phase="contract",
        subject=f"{d.stem}_build",
        title=f"Make the materialized view {name} for the new contract, empty, beside the old one.",
        does=f"makes {d.build_name} with its indexes; for a moment the tables have their "
        "old names again, in which its query is written",
        cost="none",
        undo="drops it",
        body=template(
            "contract_build.sql",
            [lock(LockMode.ACCESS_EXCLUSIVE, name) for name in _names(u, [d], old=False)],
            u=u,
            d=d,
        ),
        rollback=template("contract_build.rollback.sql", d=d),
        back="Drops the new materialized view, if it does not serve yet.",
        after=after,
    )
    yield file
    if not d.is_filled:
        return
    yield File(
        unlike=f"fill {d.name}",
        folder="online/contract",
        phase="contract",
        subject=f"{d.stem}_fill",
        title=f"Fill the new {name}.",
        does="runs its query; the old one goes on serving",
        cost="that of REFRESH MATERIALIZED VIEW",
        undo="nothing to undo: it goes with the file that made it",
        body=template(
            "contract_fill.sql", [lock(LockMode.ACCESS_SHARE, said="what it reads")], d=d
        ),
        back="no-op: it goes with the file that made it.",
        after=[file],
    )


def contract(u: UnitView, after: Sequence[File]) -> File:
    """What stood on the old columns stands on the new ones."""
    labels = listed(d.label for d in u.dependents)
    beneath = "them and on " + listed(n.name for n in _names(u, u.dependents, old=False))
    return File(
        unlike=f"dependents {u.tables[0].new}",
        folder="online/contract",
        phase="contract",
        subject=f"{u.tables[0].stem}_dependents",
        title="Let what stands on the old columns stand on the new ones.",
        does=f"makes again, with the same owner, grants and comments: {labels}; who uses "
        "them sees the new contract from now on",
        cost="none",
        undo="makes them on the old columns again"
        + ("; fills the materialized views under the lock" if u.stored else ""),
        body=template(
            "contract_dependents.sql",
            [lock(LockMode.ACCESS_EXCLUSIVE, said=beneath)],
            u=u,
        ),
        rollback=template("contract_dependents.rollback.sql", u=u),
        back="Lets it all stand on the old columns again.",
        after=after,
    )
