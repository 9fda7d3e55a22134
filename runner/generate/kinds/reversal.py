"""The reversal table: the old spellings that the new contract cannot give back."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from runner.generate.column_change import ColumnChange
from runner.generate.files import File
from runner.generate.kinds import sync
from runner.generate.model import TableChange
from runner.generate.statement import BRIEFLY, Statement, between, lock, plain, setting
from runner.generate.text import text
from runner.postgres.locks import LockMode
from runner.quoting import Name, dollar_quote, quote_ident, quote_literal, quote_name

IN_PARALLEL = Statement(
    setting("parallel_tuple_cost", 0).sql,
    note="Few rows are copied, which the planner cannot know: it is to read in parallel.",
)


def _key(t: TableChange) -> list[str]:
    """The key columns that the reversal table holds beside the reversible ones."""
    return [k for k in t.key if k not in {c.name for c in t.reversible}]


def _as_kept(t: TableChange, name: str) -> str:
    """A key column of a table that has its new names, under the name that the copy gives it."""
    new = t.renamed.get(name)
    return f"{quote_ident(new)} AS {quote_ident(name)}" if new else quote_ident(name)


def _differs(c: ColumnChange, kept: str, derived: str) -> str:
    return f"{c.compared(kept)} IS DISTINCT FROM {c.compared(derived)}"


def refuse_unkept(t: TableChange) -> list[Statement]:
    """The refusal of old values that nothing could restore, for want of a key."""
    found = []
    for c in [] if t.key else t.reversible:
        old, new = quote_ident(c.old_name), quote_ident(c.name)
        found.append(
            Statement(
                f"CALL trueup.refuse_rows(\n    {quote_literal(quote_name(t.new))},\n"
                f"    {quote_literal(c.old_name)},\n"
                f"    {dollar_quote(_differs(c, old, c.old_from(new)))},\n"
                "    'could not be restored, because the table has no primary key'\n);"
            )
        )
    return found


def contract(t: TableChange, after: Sequence[File]) -> File:
    """The copy of the spellings before the old columns go."""
    new = t.new.name
    listed = [_as_kept(t, name) for name in _key(t)]
    listed += [quote_ident(name) for c in t.reversible for name in (c.old_name, c.name)]
    differ = [
        _differs(c, quote_ident(c.old_name), c.old_from(quote_ident(c.name))) for c in t.reversible
    ]
    return File(
        unlike=f"reversal {t.new}",
        phase="contract",
        subject=f"{t.stem}_reversal",
        title=f"Keep the old spellings of {new} that the new contract cannot give back.",
        does=f"copies them to {t.reversal}, so that a rollback restores them byte for byte",
        cost=f"reads {new} once, writes the rows that differ",
        undo="drops the copy",
        body=[
            [IN_PARALLEL, *_copy(t, listed, t.new, differ, share=True)],
            [_primary_key(t), *_indexes(t)],
        ],
        # Whoever deletes a row forgets its spelling: nobody is to wait behind a DROP that waits.
        rollback=[[BRIEFLY], [drop(t)]],
        back="Drops the copy, which has been put back by then; gives up after 200 ms while a "
        "client uses it: run it again.",
        after=after,
    )


def _primary_key(t: TableChange) -> Statement:
    """By what a rollback looks a spelling up, and whoever deletes a row has it forgotten."""
    key = ", ".join(map(quote_ident, t.key))
    return Statement(f"ALTER TABLE {quote_name(t.reversal)} ADD PRIMARY KEY ({key});")


def _indexes(t: TableChange) -> list[Statement]:
    """By what the rollback looks up how others spell a reference."""
    on = quote_name(t.reversal)
    referred = dict.fromkeys(
        c.name
        for c in t.reversible
        for k in t.touching
        if k.references == t.new and c.name in k.referenced_columns and c.name != t.key[0]
    )
    return plain(*(f"CREATE INDEX ON {on} ({quote_ident(name)});" for name in referred))


def of_any(t: TableChange, c: ColumnChange, wanted: Iterable[tuple[str, str]]) -> str:
    """A kept spelling as SQL, of any row that has some values; null where there is none.

    Args:
        t: the table that keeps it.
        c: its column.
        wanted: columns of the copy with their values.
    """
    return f"({_spelling(t, c)} WHERE {_same_row(t, wanted)} LIMIT 1)"


def of_value(t: TableChange, c: ColumnChange, row: str) -> str:
    """The kept spelling of a row's value as SQL; null where it is another value by now.

    Args:
        t: the table.
        c: the column.
        row: what stands before the names of the row's columns, the new ones.
    """
    same = still_same(t, c, "r.", row)
    return f"({_spelling(t, c)} WHERE {of_row(t, row)}" + (f" AND {same})" if same else ")")


def _spelling(t: TableChange, c: ColumnChange) -> str:
    return f"SELECT r.{quote_ident(c.old_name)} FROM {quote_name(t.reversal)} AS r"


def of_row(t: TableChange, row: str) -> str:
    """The condition that `r` of the copy is what is kept of a row that has the new names."""
    return _same_row(t, _of_row(t, row))


def still_same(t: TableChange, c: ColumnChange, kept: str, row: str) -> str:
    """The condition that a row has the value whose spelling is kept; empty for one of its key.

    Args:
        t: the table.
        c: the column.
        kept: what stands before the names of the columns of what is kept of this row.
        row: what stands before the row's own.
    """
    if c.name in t.key:
        return ""
    name = quote_ident(c.name)
    return f"{c.compared(f'{kept}{name}')} = {c.compared(f'{row}{name}')}"


def _of_row(t: TableChange, row: str) -> list[tuple[str, str]]:
    """The key columns of the copy, each with its value in a row that has the new names."""
    return [(name, f"{row}{quote_ident(t.renamed.get(name, name))}") for name in t.key]


def _same_row(t: TableChange, wanted: Iterable[tuple[str, str]]) -> str:
    """The condition that the copy's row `r` has these values."""
    types = t.converted
    return " AND ".join(
        f"{types[name].compared(f'r.{quote_ident(name)}')} = {types[name].compared(value)}"
        if name in types
        else f"r.{quote_ident(name)} = {value}"
        for name, value in wanted
    )


def drop(t: TableChange) -> Statement:
    """The end of the copy."""
    return Statement(f"DROP TABLE {quote_name(t.reversal)};")


def _copy(
    t: TableChange, columns: Sequence[str], source: Name, differ: Sequence[str], *, share: bool
) -> list[Statement]:
    copy = Statement(
        f"CREATE TABLE {quote_name(t.reversal)} AS\n"
        + between("SELECT ", columns)
        + f"\nFROM {quote_name(source)}\nWHERE\n    "
        + "\n    OR ".join(differ)
        + ";",
        undo=(drop(t),),
        locks=(lock(LockMode.ACCESS_SHARE, source),) if share else (),
        note="" if share else "The spellings that cannot be derived back.",
    )
    # Old values, which row security may have kept from others.
    names = quote_literal(quote_name(t.reversal)), quote_literal(quote_name(source))
    return [copy, Statement(f"CALL trueup.keep_spellings({', '.join(names)});")]


def forgetting(t: TableChange) -> list[Statement]:
    """The triggers that forget the spellings of a row that is deleted."""
    if not t.keeps_spellings:
        return []
    on, function = quote_name(t.new), quote_name(t.forget)
    mode = LockMode.SHARE_ROW_EXCLUSIVE
    return [
        Statement(
            text(
                "triggers",
                "forget",
                function=function,
                reversal=quote_name(t.reversal),
                same_row=of_row(t, "OLD."),
            ),
            note="Forgets the old spellings of a row that is deleted.",
        ),
        sync.hand_over(t, t.forget),
        Statement(
            f"CREATE TRIGGER zz_trueup_forget AFTER DELETE ON {on}\n"
            f"FOR EACH ROW EXECUTE FUNCTION {function}();",
            locks=(lock(mode, t.new),),
        ),
        Statement(
            f"CREATE TRIGGER zz_trueup_forget_all AFTER TRUNCATE ON {on}\n"
            f"EXECUTE FUNCTION {function}();",
            locks=(lock(mode, t.new),),
        ),
    ]


def forgetting_no_more(t: TableChange) -> list[Statement]:
    """The end of these triggers, which `trueup.forget_spellings` may have dropped before."""
    if not t.keeps_spellings:
        return []
    on = quote_name(t.new)
    return plain(
        f"DROP TRIGGER IF EXISTS zz_trueup_forget_all ON {on};",
        f"DROP TRIGGER IF EXISTS zz_trueup_forget ON {on};",
        f"DROP FUNCTION IF EXISTS {quote_name(t.forget)}();",
    )


def forget_deleted(t: TableChange) -> list[Statement]:
    """The end of the spellings of rows that were deleted while the others were copied."""
    if not t.keeps_spellings:
        return []
    return [
        Statement(
            f"DELETE FROM {quote_name(t.reversal)} AS r\n"
            f"WHERE NOT EXISTS (SELECT FROM {quote_name(t.new)} AS t WHERE {of_row(t, 't.')});",
            note="The copy may hold rows that were deleted while it was made.",
        )
    ]


def tell_forgotten(t: TableChange) -> list[Statement]:
    """The warning of a rollback that the spellings are there no more."""
    if not t.keeps_spellings:
        return []
    return plain(f"CALL trueup.tell_forgotten({quote_literal(quote_name(t.reversal))});")


def window(t: TableChange) -> list[Statement]:
    """The copy of the spellings before the columns are converted in place, after `IN_PARALLEL`."""
    columns = [_new_key(t, name) for name in _key(t)]
    for c in t.reversible:
        name = quote_ident(c.name)
        columns += [f"{name} AS {quote_ident(c.old_name)}", f"{c.new_from(name)} AS {name}"]
    differ = [_not_derived(c) for c in t.reversible]
    return [*_copy(t, columns, t.old, differ, share=False), _primary_key(t)]


def _not_derived(c: ColumnChange) -> str:
    name = quote_ident(c.name)
    return _differs(c, name, c.derived_again(name))


def _new_key(t: TableChange, name: str) -> str:
    """A key column's new value, from the old table."""
    change, column = t.converted.get(name), quote_ident(name)
    return f"{change.new_from(column)} AS {column}" if change else column


def refuse_later_rows(t: TableChange) -> Statement:
    """The refusal of rows that were written since their spelling was kept."""
    differ = " OR ".join(_not_derived(c) for c in t.reversible)
    rows = (
        f"({differ}) AND NOT EXISTS (SELECT FROM {quote_name(t.reversal)} AS r WHERE {_is_kept(t)})"
    )
    return Statement(
        f"CALL trueup.refuse_rows(\n    {quote_literal(quote_name(t.old))},\n"
        f"    {quote_literal(t.reversible[0].name)},\n"
        f"    {dollar_quote(rows)},\n"
        "    'was written since the spellings were kept'\n);",
        note="The service must be down: a row that was written since then could not be restored.",
    )


def _is_kept(t: TableChange) -> str:
    """The condition that the reversal table's row `r` holds a row of the old table as it is."""
    old, pairs = quote_ident(t.old.name), []
    for name in _key(t):
        change, value = t.converted.get(name), f"{old}.{quote_ident(name)}"
        pairs.append(f"r.{quote_ident(name)} = {change.new_from(value) if change else value}")
    pairs += [
        f"{c.compared(f'r.{quote_ident(c.old_name)}')} IS NOT DISTINCT FROM"
        f" {c.compared(f'{old}.{quote_ident(c.name)}')}"
        for c in t.reversible
    ]
    return " AND ".join(pairs)


def restore(t: TableChange, table: Name) -> list[Statement]:
    """The old spellings, put back where the value is still the same."""
    if not t.keeps_spellings:
        return []
    sets = []
    for c in t.reversible:
        name, kept = quote_ident(c.name), c.old_from(f"r.{quote_ident(c.name)}")
        same = f"{c.compared(f't.{name}')} IS NOT DISTINCT FROM {c.compared(kept)}"
        sets.append(
            f"    {name} = CASE WHEN {same}\n"
            f"        THEN r.{quote_ident(c.old_name)} ELSE t.{name} END"
        )
    pairs = []
    for key in t.key:
        change, column = t.converted.get(key), quote_ident(key)
        right = change.old_from(f"r.{column}") if change else f"r.{column}"
        pairs.append(f"t.{column} = {right}")
    return [
        Statement(
            f"UPDATE {quote_name(table)} AS t\nSET\n"
            + ",\n".join(sets)
            + f"\nFROM {quote_name(t.reversal)} AS r\nWHERE "
            + "\n    AND ".join(pairs)
            + ";",
            note="The spellings that cannot be derived, where the value is still the same.",
        )
    ]


def spell_references(
    child: TableChange, column: ColumnChange, parent: TableChange, key: ColumnChange
) -> Statement:
    """A reference, spelled as the key that it refers to, in tables that have their old names."""
    name, far = quote_ident(column.name), quote_ident(key.old_name)
    return Statement(
        f"UPDATE {quote_name(child.old)} AS t\nSET {name} = r.{far}\n"
        f"FROM {quote_name(parent.reversal)} AS r\n"
        f"WHERE t.{name} = {key.old_from(f'r.{quote_ident(key.name)}')};",
        note="A reference is spelled as the key that it refers to.",
    )
