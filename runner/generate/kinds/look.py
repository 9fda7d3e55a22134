"""The look that tables had: their old names again, in which definitions were written."""

from __future__ import annotations

from collections.abc import Sequence

from runner.generate.kinds import column, sequence
from runner.generate.model import TableChange
from runner.generate.statement import Lock, Paragraph, Statement, plain
from runner.quoting import Name, quote_ident, quote_name


def rename(old: Name, new: Name) -> list[Statement]:
    """The statement that gives a table its other name, if it has one."""
    if old == new:
        return []
    return plain(f"ALTER TABLE {quote_name(old)} RENAME TO {quote_ident(new.name)};")


def move(t: TableChange) -> list[Statement]:
    """The table goes where it stands from the switch until its old name goes."""
    if not t.keeps_name:
        return rename(t.old, t.new)
    return [
        *sequence.stay(t),
        *plain(f"ALTER TABLE {quote_name(t.old)} SET SCHEMA {quote_ident(t.apart.schema)};"),
    ]


def move_back(t: TableChange, *, switched: bool) -> list[Statement]:
    """The table comes back from there.

    Args:
        t: the table.
        switched: whether its columns have their new names.
    """
    if not t.keeps_name:
        return [] if switched else rename(t.new, t.old)
    return [
        *plain(f"ALTER TABLE {quote_name(t.apart)} SET SCHEMA {quote_ident(t.old.schema)};"),
        *sequence.belong(t, t.renamed if switched else {}),
    ]


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
    on = [s for t in tables for s in (*column.rename(t, back=True), *rename(t.new, t.old))]
    off = [s for t in tables for s in (*rename(t.old, t.new), *column.rename(t))]
    return [[first, *on], *body, off]
