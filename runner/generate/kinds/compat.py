"""The compat view: it keeps the old name alive, and counts who uses it."""

from __future__ import annotations

from collections.abc import Sequence

from runner.generate.files import File
from runner.generate.statement import lock
from runner.generate.templates import template
from runner.generate.view import TableView
from runner.postgres.locks import LockMode


def contract(t: TableView, still_open: Sequence[TableView], after: Sequence[File]) -> File:
    """The end of the old name, once nobody uses it."""
    names = ", ".join(x.old.name for x in still_open)
    return File(
        unlike=f"close {t.new}",
        folder="online/contract",
        phase="contract",
        subject=f"{t.stem}_close",
        title=f"Take the old name {t.old.name} away, once nobody uses it.",
        does="drops the compat view; refuses while the odometers do not prove that "
        f"{names} {'were' if len(still_open) > 1 else 'was'} unused for the waiting period "
        "(trueup.waiting_period, 24 hours)",
        cost="none",
        undo="instant",
        body=template(
            "contract_close.sql",
            [lock(LockMode.ACCESS_EXCLUSIVE, t.old, said=f"the view {t.old.name}")],
            t=t,
            still_open=still_open,
        ),
        rollback=template("contract_close.rollback.sql", t=t),
        back=f"Brings the old name {t.old.name} back: instant.",
        after=after,
    )
