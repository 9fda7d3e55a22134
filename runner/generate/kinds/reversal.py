"""The reversal table: the old spellings that the new contract cannot give back."""

from __future__ import annotations

from collections.abc import Sequence

from runner.generate.files import File
from runner.generate.statement import lock
from runner.generate.templates import template
from runner.generate.view import TableView
from runner.postgres.locks import LockMode


def contract(t: TableView, after: Sequence[File]) -> File:
    """The copy of the spellings before the old columns go."""
    new = t.new.name
    return File(
        unlike=f"reversal {t.new}",
        folder="online/contract",
        phase="contract",
        subject=f"{t.stem}_reversal",
        title=f"Keep the old spellings of {new} that the new contract cannot give back.",
        does=f"copies them to {t.reversal}, so that a rollback restores them byte for byte",
        cost=f"reads {new} once, writes the rows that differ",
        undo="drops the copy",
        body=template("contract_reversal.sql", [lock(LockMode.ACCESS_SHARE, t.new)], t=t),
        rollback=template("contract_reversal.rollback.sql", t=t),
        back="Drops the copy, which has been put back by then.",
        after=after,
    )
