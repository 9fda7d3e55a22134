"""The look that tables had: their old names again, in which definitions were written."""

from __future__ import annotations

from collections.abc import Sequence

from runner.generate.kinds import column, sequence
from runner.generate.model import TableChange
from runner.generate.statement import Lock, Paragraph, Statement, taken_back
from runner.quoting import Name, quote_ident, quote_name


def rename(old: Name, new: Name) -> list[Statement]:
    """The statement that gives a table its other name, if it has one."""
    if old == new:
        return []
    there, back = (
        f"ALTER TABLE {quote_name(a)} RENAME TO {quote_ident(b.name)};"
        for a, b in ((old, new), (new, old))
    )
    return [Statement(there, undo=(Statement(back),))]


def move(t: TableChange) -> list[Statement]:
    """The table goes where it stands from the switch until its old name goes."""
    if not t.keeps_name:
        return rename(t.old, t.new)
    there = f"ALTER TABLE {quote_name(t.old)} SET SCHEMA {quote_ident(t.apart.schema)};"
    return [*sequence.stay(t), Statement(there, undo=(_moved_back(t),))]


def _moved_back(t: TableChange) -> Statement:
    return Statement(f"ALTER TABLE {quote_name(t.apart)} SET SCHEMA {quote_ident(t.old.schema)};")


def move_back(t: TableChange) -> list[Statement]:
    """The table that keeps its name comes back from there, with the new names of its columns."""
    return [_moved_back(t), *sequence.belong(t, t.renamed)] if t.keeps_name else []


def in_old_look(
    tables: Sequence[TableChange], body: Sequence[Paragraph], *locks: Lock
) -> list[Paragraph]:
    """Statements that name tables as the old contract does, while they have these names.

    Args:
        tables: at least one, each under its new name.
        body: the statements.
        locks: what all of it locks, as a header says it.
    """
    first = Statement(
        f"LOCK TABLE {', '.join(quote_name(t.new) for t in tables)} IN ACCESS EXCLUSIVE MODE;",
        locks=locks,
        note="The definitions below were written when the tables had their old names: they have "
        "them again\nuntil the end of this file.",
    )
    off = [s for t in tables for s in (*rename(t.old, t.new), *column.rename(t))]
    return [[first, *taken_back(off)], *body, off]
