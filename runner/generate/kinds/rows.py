"""The rows of a table: what cannot be converted stops the files before anything changes."""

from __future__ import annotations

from collections.abc import Sequence

from runner.generate import rules
from runner.generate.files import File
from runner.generate.statement import lock
from runner.generate.templates import template
from runner.generate.view import TableView
from runner.postgres.locks import LockMode


def check(t: TableView, folder: str, phase: str, after: Sequence[File]) -> File:
    """The refusal of data that cannot be converted, before anything changes."""
    old, is_online = t.old.name, folder == "online"
    return File(
        unlike=f"check {t.new}",
        folder=folder,
        phase=phase,
        subject=f"{t.stem}_check",
        title=f"Stop here when {old} holds a row that cannot be converted.",
        does=f"reads {old} and names the column, the values, how many rows, and the query "
        "that shows them; changes nothing"
        + ("; refuses triggers that the backfill cannot silence" if is_online else ""),
        cost=f"reads {old} once; once more when something is wrong, to say which rows",
        undo="nothing to undo",
        body=template(
            "online_check.sql",
            [lock(LockMode.ACCESS_SHARE, t.old)],
            t=t,
            is_online=is_online,
            rules=rules.before(t),
        ),
        back="no-op: the file changed nothing.",
        after=after,
    )


def enforce(t: TableView, after: Sequence[File]) -> File:
    """The proof that each converted row is as the new contract wants it."""
    new = t.new.name
    return File(
        unlike=f"enforce check {t.new}",
        folder="online",
        phase="enforce",
        subject=f"{t.stem}_check",
        title=f"Stop here when a row of {new} is not as the new contract wants it.",
        does="reads the table and names the column, the values, how many rows, and the query that "
        "shows them; changes nothing",
        cost=f"reads {new} once; once more when something is wrong, to say which rows",
        undo="nothing to undo",
        body=template(
            "enforce_check.sql",
            [lock(LockMode.ACCESS_SHARE, t.new)],
            t=t,
            rules=rules.after(t),
        ),
        back="no-op: the file changed nothing.",
        after=after,
    )
