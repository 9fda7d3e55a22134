"""The switch: the table goes to the new contract, and the old one gets a view; and back.

It is a file of its own, or part of expand.
"""

from __future__ import annotations

from collections.abc import Sequence

from runner.generate.files import File
from runner.generate.kinds import column, compat, look, new_view, same, settings, sync
from runner.generate.kinds.same import At
from runner.generate.locks import brief
from runner.generate.model import TableChange
from runner.generate.statement import BRIEFLY, Paragraph, Statement, lock, undone
from runner.postgres.locks import LockMode
from runner.quoting import Name, quote_name


def switch(t: TableChange, before: TableChange, after: Sequence[File]) -> File:
    """The table goes to the new contract; a view keeps the old one.

    Args:
        t: the table.
        before: the table as it was until then.
        after: the files that must have run.
    """
    old, table = t.old.name, t.switched
    said = t.apart if t.keeps_name else t.new.name
    built = [(c.build_name, c.name) for c in t.columns]
    triggers = sync.triggers(table, t.sync_switched, replace=True) if t.columns else []
    triggers_back = sync.triggers(before, t.sync, replace=True) if t.columns else []
    return File(
        unlike=f"switch {t.new}",
        phase="switch",
        subject=t.stem,
        title=f"Give the table {old} to the new contract.",
        does=f"drops the view {said} and gives the table its {'place' if t.keeps_name else 'name'} "
        "and its columns; the old name and the old columns live on in a view that counts its uses",
        held=brief(t),
        cost="no rewrite, no scan",
        undo="instant, loses nothing",
        body=[
            [BRIEFLY],
            [
                locked(t, t.apart),
                same.require(t, At.ENFORCED),
                *same.require_alike(t, At.ENFORCED),
                *settings.carry_grants(t.old, t.old, built),
                *settings.carry_grants(t.old, t.apart, new_view.pairs(t, back=True)),
                new_view.drop(t),
            ],
            *to_new(t),
            *triggers,
        ],
        rollback=[
            [BRIEFLY],
            old_view_off(t, At.SWITCHED),
            *to_old(t),
            settings.copy_grants(t.old, t.old, built),
            *new_view.expand(t),
            *triggers_back,
        ],
        back=f"Gives the table back to the old contract as {old}: instant, loses nothing.",
        after=after,
    )


def to_new(t: TableChange) -> list[Paragraph]:
    """The table gets its place, its name and its columns, and the old contract its view."""
    pairs = [(c.name, c.old_name) if t.at_expand else (c.old_name, c.name) for c in t.columns]
    return [
        *_given(t),
        settings.copy_grants(t.apart, t.apart, pairs),
        *compat.expand(t),
    ]


def old_view_off(t: TableChange, at: At) -> Paragraph:
    """The view of the old contract goes, if the table is as it was left."""
    return [
        locked(t, t.old),
        same.require(t, at, secured=True),
        *settings.carry_grants(t.apart, t.apart, [(c.old_name, c.name) for c in t.columns]),
        *settings.carry_grants(t.apart, t.old, compat.pairs(t, back=True)),
        *compat.drop(t),
    ]


def to_old(t: TableChange) -> list[Paragraph]:
    """The table gets its old place, its old name and its old columns."""
    return undone(_given(t))


def _given(t: TableChange) -> list[Paragraph]:
    """Its place, its name and its columns under the new contract."""
    table = t.switched
    return [[*look.move(t), *column.rename(table)], *column.switch(table)]


def called(t: TableChange) -> str:
    """What the new contract is called, in the words of a header."""
    return (
        f"its name in the schema {t.apart.schema}" if t.keeps_name else f"the new name {t.new.name}"
    )


def locked(t: TableChange, view: Name) -> Statement:
    """The lock on a view of the table, and by it on the table."""
    said = f"{t.apart if t.keeps_name else t.new.name} and {t.old.name}"
    if t.is_partitioned:
        said += " with its partitions"
    return Statement(
        f"LOCK TABLE {quote_name(view)} IN ACCESS EXCLUSIVE MODE;",
        locks=(lock(LockMode.ACCESS_EXCLUSIVE, t.apart, t.old, said=said),),
        note="A client locks the view before its table, and so does this.",
    )
