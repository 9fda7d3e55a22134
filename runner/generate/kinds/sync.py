"""The two sides of a row: the trigger keeps them equal, the backfill fills the new one."""

from __future__ import annotations

from collections.abc import Sequence

from runner.generate.files import File
from runner.generate.templates import template
from runner.generate.view import TableView
from runner.quoting import Name


def backfill(t: TableView, table: Name, after: Sequence[File]) -> File:
    """The conversion of the rows that were there before, of a table or one partition of it."""
    return File(
        unlike=f"backfill {table}",
        folder="online",
        phase="backfill",
        subject=t.prefix + table.name,
        title=f"Fill the new columns of {table.name} for the rows that were there before.",
        does="converts all columns of a row in one UPDATE, in batches of pages, and commits "
        "each; fires no trigger of the service; can be stopped and run again at any point",
        locks_said="the rows of one batch for some ms, never waits for one for more than 200 ms; "
        "at the end SHARE UPDATE EXCLUSIVE, for which it waits 5 s at most: reads and writes "
        "go on",
        cost="writes each row once, and samples the table; the table grows until VACUUM",
        undo="nothing to undo: the columns go with expand",
        body=template("online_backfill.sql", alone=True, t=t, table=table),
        rollback=template("online_backfill.rollback.sql"),
        back="Forgets the progress; the columns go with expand.",
        after=after,
    )
