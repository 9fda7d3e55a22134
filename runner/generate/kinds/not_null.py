"""NOT NULL: proven by a CHECK first, so that setting it scans nothing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from runner.generate.files import File
from runner.generate.kinds import table as tables
from runner.generate.templates import template
from runner.generate.view import TableView


def enforce(t: TableView, after: Sequence[File]) -> Iterator[File]:
    """NOT NULL on the new columns, if any has it."""
    if not any(c.not_null for c in t.columns):
        return
    new = t.new.name
    yield File(
        unlike=f"enforce not_null {t.new}",
        folder="online",
        phase="enforce",
        subject=f"{t.stem}_not_null",
        title=f"Set NOT NULL on the new columns of {new}.",
        does="sets NOT NULL, which the validated CHECKs prove, then drops these CHECKs",
        held=tables.held(t),
        cost="no scan, because the CHECKs are dropped in a second statement",
        undo="instant",
        body=template("enforce_not_null.sql", [tables.exclusive(t, t.new)], t=t),
        rollback=template("enforce_not_null.rollback.sql", t=t),
        back="Takes NOT NULL away: instant.",
        after=after,
    )
