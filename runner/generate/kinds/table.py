"""A table: it gets its new name, and its new contract beside the old one."""

from __future__ import annotations

from collections.abc import Sequence

from runner.generate.files import BRIEF, File
from runner.generate.remake import Remake
from runner.generate.statement import Lock, lock
from runner.generate.templates import template
from runner.generate.unit import UnitView
from runner.generate.view import TableView
from runner.postgres.locks import LockMode
from runner.quoting import Name


def held(t: TableView) -> str:
    """How long a short lock on a table is held."""
    return BRIEF.replace("ms;", "ms a partition;", 1) if t.partitions.is_partitioned else BRIEF


def exclusive(t: TableView, name: Name, mode: LockMode = LockMode.ACCESS_EXCLUSIVE) -> Lock:
    """A lock on a table under one of its names, with what is locked together with it."""
    return lock(mode, name, said=t.whole(name.name))


def expand(t: TableView, after: Sequence[File]) -> File:
    """The new contract beside the old one."""
    old, new = t.old.name, t.new.name
    columns = ", ".join(f"{c.name} {c.new_type}" for c in t.columns)
    adds = f"adds {columns}; " if columns else ""
    return File(
        unlike=f"expand {t.new}",
        folder="online",
        phase="expand",
        subject=t.stem,
        title=f"Give {old} its new contract beside the old one.",
        does=f"renames {old} to {new}; {adds}keeps the old name alive as a view with the "
        "same owner and grants"
        + ("; a trigger keeps both sides of each row equal" if columns else ""),
        held=held(t),
        cost="no rewrite, no scan",
        undo="instant, loses nothing",
        body=template("online_expand.sql", [exclusive(t, t.old)], t=t),
        rollback=template("online_expand.rollback.sql", t=t),
        back=f"Takes the new contract of {old} away again: instant, loses nothing.",
        after=after,
    )


def contract(t: TableView, u: UnitView, after: Sequence[File]) -> File:
    """The end of the old side, and the names of the new one."""
    new, r = t.new.name, Remake(t, u)
    resting = [k.table for k in t.resting_on_key] if t.partitions.is_partitioned else []
    place = (
        "in their old order"
        if r.keeps_order
        else "behind the others, as a partition key's column cannot be made again"
    )
    return File(
        unlike=f"finish {t.new}",
        folder="online/contract",
        phase="contract",
        subject=t.stem,
        title=f"Leave {new} with its new contract alone.",
        does="drops the trigger and the old columns, makes the unique index the primary "
        "key, gives indexes and constraints their names under the standard",
        held=held(t),
        cost="no rewrite, no scan",
        undo=f"makes the old columns again {place}: one rewrite of the table "
        "under ACCESS EXCLUSIVE, and the foreign keys to it are proven again, so plan a "
        "window",
        body=template(
            "contract_finish.sql",
            [*(lock(LockMode.ACCESS_EXCLUSIVE, name) for name in resting), exclusive(t, t.new)],
            t=t,
            r=r,
            u=u,
        ),
        rollback=template("contract_finish.rollback.sql", t=t, r=r, u=u),
        back=f"Makes the old side of {new} again: one rewrite under the lock.",
        after=after,
    )
