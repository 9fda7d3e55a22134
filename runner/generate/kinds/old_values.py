"""What the old columns hold once the rollback of contract has made them again.

A trigger fills them in the rows that clients write meanwhile, a backfill in all others.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from runner.generate.column_change import ColumnChange
from runner.generate.files import FOR_ROLLBACK, OWN_ID, File
from runner.generate.kinds import backfill, reversal, sync
from runner.generate.kinds.trigger import listed as listed_by_triggers
from runner.generate.model import TableChange
from runner.generate.statement import BRIEFLY, Paragraph, Statement, literal_list, plain
from runner.generate.text import text
from runner.generate.unit import Unit
from runner.quoting import Name, quote_ident, quote_literal, quote_name


@dataclass(frozen=True, slots=True)
class _Side:
    """What the trigger's text says of a column: its old name, and SQL.

    Args:
        old: its old name.
        filled: its old value.
        updated: the same after an update, where that depends on the one before.
        changed: the condition that an update changes it.
    """

    old: str
    filled: str
    updated: str
    changed: str


def _spelled(
    u: Unit,
    t: TableChange,
    c: ColumnChange,
    row: str,
    indent: int,
    *,
    kept: str = "",
    parents: bool = True,
) -> str:
    """The old value of a row.

    It follows from the row's new values alone, so that a reference and its key are spelled alike
    whichever is written first.

    Args:
        u: the unit.
        t: the table.
        c: the column.
        row: what stands before the names of the row's columns.
        indent: how far what it begins in is indented.
        kept: what stands before those of its row in the reversal table, where that was read before.
        parents: whether the old columns of all parents are there.
    """
    value = f"{row}{quote_ident(c.name)}"
    derived = c.old_from(value, f"{row}{quote_ident(c.kept)}" if c.kept else None)
    found = [*_of_parents(u, t, c, row, parents=parents)] if c.parent else []
    inner, outer = "\n" + " " * (indent + 4), "\n" + " " * indent
    if t.keeps_spellings and c in t.reversible:
        own = f"{kept}{quote_ident(c.old_name)}" if kept else reversal.of_value(t, c, row)
        same = reversal.still_same(t, c, kept, row) if kept else ""
        if same and not found:
            return f"CASE WHEN {same}{inner}THEN {own} ELSE {derived} END"
        found.insert(0, f"CASE WHEN {same} THEN {own} END" if same else own)
    if not found:
        return derived
    if len(found) == 1 and c.name in t.key:
        return f"coalesce({found[0]}, {derived})"
    return f"coalesce({inner}" + f",{inner}".join([*found, derived]) + f"{outer})"


def _of_parents(
    u: Unit, t: TableChange, c: ColumnChange, row: str, *, parents: bool
) -> Iterable[str]:
    """How a reference's parent is spelled: now, or when contract dropped its old columns."""
    assert c.parent is not None
    pairs = [(far, f"{row}{quote_ident(here)}") for here, far in c.parent.pairs]
    parent = u.table(c.parent.table)
    if parents or u.place(parent) <= u.place(t):
        match = " AND ".join(f"p.{quote_ident(far)} = {here}" for far, here in pairs)
        yield (
            f"(SELECT p.{quote_ident(c.parent.old_name)} FROM {quote_name(parent.sides)} AS p"
            f" WHERE {match})"
        )
    table, root = u.root(c)
    if table.keeps_spellings and root in table.reversible:
        kept = {*table.key, *(r.name for r in table.reversible)}
        wanted = [(root.name, f"{row}{quote_ident(c.name)}")]
        if table is parent:
            wanted = [(far, here) for far, here in pairs if far in kept]
        yield reversal.of_any(table, root, wanted)


def _side(u: Unit, t: TableChange, c: ColumnChange) -> _Side:
    new, old = quote_ident(c.name), quote_ident(c.old_name)
    updated = c.old_beside(f"NEW.{new}", f"OLD.{new}", f"OLD.{old}") if c.to_old_beside else ""
    return _Side(
        old=old,
        filled=_spelled(u, t, c, "NEW.", 8 if updated else 4, kept="kept.", parents=False),
        updated=updated,
        changed=sync.changed(c, c.name),
    )


def trigger(u: Unit, t: TableChange) -> list[Paragraph]:
    """The trigger that fills the old side of what clients of the new contract write."""
    function = text(
        "triggers",
        "sync_back",
        function=quote_name(t.sync_back),
        reversal=quote_name(t.reversal) if t.keeps_spellings else "",
        same_row=reversal.of_row(t, "NEW.") if t.keeps_spellings else "",
        columns=[_side(u, t, c) for c in t.columns],
        moved=[sync.is_in_step(c) for c in t.columns] if sync.tells_moved_rows(t) else [],
        unfilled=sync.unfilled(t, "OLD.", old=True),
        keys=quote_name(t.new),
        named=quote_literal(quote_name(t.new)),
        twin_keys=sync.twin_keys(t, switched=True),
    )
    on, execute = quote_name(t.new), f"EXECUTE FUNCTION {quote_name(t.sync_back)}();"
    changed = sync.any_changed((c, c.name) for c in t.columns)
    return [
        [Statement(function, note="Fills the old side of each row that is written meanwhile.")],
        [sync.hand_over(t, t.sync_back)],
        plain(
            f"CREATE TRIGGER zz_trueup_sync_insert BEFORE INSERT ON {on}\nFOR EACH ROW {execute}",
            f"CREATE TRIGGER zz_trueup_sync_update BEFORE UPDATE ON {on}\nFOR EACH ROW WHEN (\n"
            f"    {sync.unfilled(t, 'NEW.', old=True)}\n    OR {changed}\n)\n{execute}",
        ),
    ]


def _update(u: Unit, t: TableChange, table: str, condition: str, indent: int) -> str:
    """The UPDATE that fills the old columns of rows.

    Each column has an assignment of its own: of one for several, no rule on the table could use the
    row as a whole.
    """
    line = "\n" + " " * indent
    sets = f",{line}    ".join(
        f"{quote_ident(c.old_name)} = {_spelled(u, t, c, 't.', indent + 4)}" for c in t.columns
    )
    return f"UPDATE {table} AS t{line}SET{line}    {sets}{line}WHERE {condition}"


def fill(
    u: Unit, t: TableChange, table: Name, proven: Sequence[str], after: Sequence[File]
) -> File:
    """What fills the old columns of a table, or of a partition, on the way back.

    Args:
        u: the unit.
        t: the table.
        table: its name, or that of the partition.
        proven: the CHECKs that are validated once all rows are filled.
        after: the files that must have run.
    """
    quoted = quote_name(table)
    walk = backfill.walk(
        quoted,
        _update(u, t, quoted, backfill.OF_BATCH, 4),
        unfilled=sync.unfilled(t, "", old=True),
        filled=[c.old_name for c in t.columns],
        proven=proven,
        names_operators=t.names_operators,
        listed=_listed(t),
    )
    forget = Statement(f"DELETE FROM trueup.progress WHERE file = {OWN_ID};", alone=True)
    return File(
        unlike=f"fill {table}",
        phase="contract",
        subject=f"{t.prefix}{table.name}_fill",
        title=f"{FOR_ROLLBACK}fill the old columns of {table.name}.",
        does="changes no row; its rollback fills the old columns from the new ones and the "
        "spellings that were kept",
        cost="none",
        undo=f"writes each row of {table.name} once, in batches; can be stopped and run again",
        body=[[forget]],
        rollback=[[Statement(walk, alone=True)]],
        back="Fills the old columns in batches, and comes back to rows that clients hold; can be "
        "stopped and run again.",
        back_locks=backfill.WALK_LOCKS,
        back_cost=f"writes each row of {table.name} once, in eight passes over each 10 MB, and "
        "reads it twice more; it grows until VACUUM",
        after=after,
    )


def fill_late(u: Unit, t: TableChange, after: Sequence[File]) -> File:
    """What fills the old columns of partitions that are made after these files, on the way back."""
    root = quote_name(t.new)
    written = _listed(t)
    of = f", {literal_list(written)}" if written else ""
    return File(
        unlike=f"fill late {t.new}",
        phase="contract",
        subject=f"{t.prefix}{t.new.name}_fill_late",
        title=f"{FOR_ROLLBACK}fill the old columns of partitions of {t.new.name} that came later.",
        does="changes no row; its rollback fills the old columns of what the files of the "
        "partitions left, in one statement",
        cost="none",
        undo=f"reads {t.new.name} once, writes the rows of partitions that were made later",
        body=[],
        rollback=[
            [
                BRIEFLY,
                Statement(
                    "SELECT set_config('session_replication_role', 'replica', true)\n"
                    f"FROM trueup.woken_triggers({quote_literal(root)}{of})\nLIMIT 1;",
                    note="The service's own triggers are not to see it.",
                ),
            ],
            [Statement(f"{_update(u, t, root, sync.unfilled(t, 't.', old=True), 0)};")],
        ],
        back="Fills partitions that were made later: holds their rows until it is done.",
        after=after,
    )


def _listed(t: TableChange) -> list[str]:
    """The old columns that triggers of UPDATE OF list."""
    return [c.old_name for c in t.columns if c.name in listed_by_triggers(t)]
