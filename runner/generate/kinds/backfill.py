"""The backfill: the statement that fills columns of the rows that were there before."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from runner.generate.column_change import ColumnChange
from runner.generate.files import OWN_ID, File
from runner.generate.kinds import sync, trigger
from runner.generate.model import TableChange
from runner.generate.statement import Statement, between, literal_list
from runner.quoting import Name, dollar_quote, quote_ident, quote_literal, quote_name

# What a walk over all rows of a table locks.
WALK_LOCKS = (
    "the rows of one batch for some ms, waits for none; at the end SHARE UPDATE EXCLUSIVE, for "
    "which it waits 5 s at most: reads and writes go on"
)

# What tells the rows of a batch.
OF_BATCH = "ctid = ANY ($1)"


def backfill(t: TableChange, table: Name, after: Sequence[File]) -> File:
    """The conversion of the rows that were there before, of a table or one partition of it."""
    quoted, line = quote_name(table), "\n        "
    sets = f",{line}".join(_assignments(t.columns))
    said = trigger.listed(t)
    filling = walk(
        quoted,
        f"UPDATE {quoted}\n    SET{line}{sets}\n    WHERE {OF_BATCH}",
        unfilled=sync.unfilled(t, ""),
        filled=[c.name for c in t.columns],
        names_operators=t.names_operators,
        listed=[c.name for c in t.columns if not said.isdisjoint((c.name, c.old_name))],
    )
    forgotten = Statement(f"DELETE FROM trueup.progress WHERE file = {OWN_ID};")
    return File(
        unlike=f"backfill {table}",
        phase="backfill",
        subject=t.stem if table == t.new else t.prefix + table.name,
        title=f"Fill the new columns of {table.name} for the rows that were there before.",
        does="converts all columns of a row in one UPDATE, in batches of as many rows as 80 "
        "pages hold, and commits each; comes back to rows that clients hold; fires no trigger of "
        "the service; can be stopped and run again at any point",
        locks_said=WALK_LOCKS,
        cost="writes each row once, in eight passes over each 10 MB, and reads the table once "
        "more; it grows until VACUUM",
        undo="nothing to undo: the columns go with expand",
        body=[[Statement(filling, undo=(forgotten,), alone=True)]],
        back="Forgets the progress; the columns go with expand.",
        after=after,
    )


def _assignments(columns: Iterable[ColumnChange]) -> Iterable[str]:
    for c in columns:
        old = quote_ident(c.old_name)
        if c.kept:
            yield f"{quote_ident(c.kept)} = {old}"
        yield f"{quote_ident(c.name)} = {c.new_from(old)}"


def walk(
    table: str,
    update: str,
    *,
    unfilled: str,
    filled: Iterable[str],
    proven: Sequence[str] = (),
    names_operators: bool = False,
    listed: Sequence[str] = (),
) -> str:
    """The statement that fills columns of the rows that were there before, in batches of pages.

    Args:
        table: the table, quoted.
        update: the statement that fills a batch of rows, indented.
        unfilled: the condition that a row is not filled yet.
        filled: the columns, which are analyzed at the end.
        proven: the CHECKs that are validated at the end.
        names_operators: whether an index that comes later is built by operators or functions.
        listed: those of the columns that triggers of UPDATE OF list.
    """
    given = {"fill": dollar_quote(f"\n    {update}\n    ")}
    if proven:
        checks = (f"VALIDATE CONSTRAINT {quote_ident(name)}" for name in proven)
        given["proof"] = dollar_quote(between(f"ALTER TABLE {table} ", checks))
    given["statistics"] = dollar_quote(f"ANALYZE {table} ({', '.join(map(quote_ident, filled))})")
    if listed:
        given["listed"] = literal_list(listed)
    if names_operators:
        given["path"] = "pg_catalog.current_schemas(false)"
    lines = [
        f"{OWN_ID}, {quote_literal(table)}",
        f"unfilled => {quote_literal(unfilled)}",
        *(f"{name} => {value}" for name, value in given.items()),
    ]
    return "CALL trueup.fill_rows(\n    " + ",\n    ".join(lines) + "\n);"
