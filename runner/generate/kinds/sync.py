"""The two sides of a row: a trigger keeps them equal."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from runner.generate.column_change import ColumnChange
from runner.generate.model import TableChange
from runner.generate.statement import Paragraph, Statement, plain
from runner.generate.text import text
from runner.quoting import Name, quote_ident, quote_literal, quote_name, shorten


@dataclass(frozen=True, slots=True)
class _Sides:
    """What the trigger's text says of a column: names of both sides, and SQL."""

    old: str
    new: str
    kept: str
    converted: str
    derived: str
    old_changed: str
    new_changed: str


def unfilled(t: TableChange, row: str, *, old: bool = False) -> str:
    """The condition that the new side of a row is not filled yet; or the old one."""
    columns = [t.anchor] if t.anchor else t.columns
    sides = [(c.name, c.old_name) if old else (c.old_name, c.name) for c in columns]
    if t.anchor:
        return f"{row}{quote_ident(sides[0][1])} IS NULL"
    return " OR ".join(
        f"{row}{quote_ident(there)} IS NOT NULL AND {row}{quote_ident(empty)} IS NULL"
        for there, empty in sides
    )


def _converted(t: TableChange, row: str) -> str:
    """The condition that a row's new side is filled."""
    if t.anchor:
        return f"{row}{quote_ident(t.anchor.name)} IS NOT NULL"
    return f"NOT ({unfilled(t, row)})"


def changed(c: ColumnChange, name: str) -> str:
    """The condition that an UPDATE changes one side of a column."""
    column = quote_ident(name)
    return f"{c.compared(f'NEW.{column}')} IS DISTINCT FROM {c.compared(f'OLD.{column}')}"


def any_changed(columns: Iterable[tuple[ColumnChange, str]]) -> str:
    """The condition that an UPDATE changes one of some columns, each with the name of its side."""
    found = [quoted for c, name in columns for quoted in _compared(c, name)]
    new, old = (", ".join(values) for values in zip(*found, strict=True))
    return f"({new}) IS DISTINCT FROM ({old})"


def _compared(c: ColumnChange, name: str) -> Iterable[tuple[str, str]]:
    column = quote_ident(name)
    yield c.compared(f"NEW.{column}"), c.compared(f"OLD.{column}")
    if c.kept and name == c.name:
        kept = quote_ident(c.kept)
        yield f"NEW.{kept}", f"OLD.{kept}"


def _derive_old(column: ColumnChange, indent: int) -> str:
    """The old value for a new one; a reference takes its parent's spelling."""
    value = f"NEW.{quote_ident(column.name)}"
    inner, outer = "\n" + " " * (indent + 4), "\n" + " " * indent
    if column.to_old_beside:
        before = f"OLD.{quote_ident(column.name)}", f"OLD.{quote_ident(column.old_name)}"
        updated = column.old_beside(value, *before)
        return (
            f"CASE WHEN TG_OP = 'INSERT'{inner}THEN {column.old_from(value)}"
            f"{inner}ELSE {updated}{outer}END"
        )
    if column.parent is None:
        return column.old_from(value, f"NEW.{quote_ident(column.kept)}" if column.kept else None)
    parent = column.parent
    match = " AND ".join(
        f"p.{quote_ident(far)} = NEW.{quote_ident(here)}" for here, far in parent.pairs
    )
    lookup = (
        f"(SELECT p.{quote_ident(parent.old_name)} FROM {quote_name(parent.sides)} AS p"
        f" WHERE {match})"
    )
    return f"coalesce({inner}{lookup},{inner}{column.old_from(value)}{outer})"


def _sides(c: ColumnChange, indent: int) -> _Sides:
    kept = quote_ident(c.kept) if c.kept else ""
    return _Sides(
        old=quote_ident(c.old_name),
        new=quote_ident(c.name),
        kept=kept,
        converted=c.new_from(f"NEW.{quote_ident(c.old_name)}"),
        derived=_derive_old(c, indent),
        old_changed=changed(c, c.old_name),
        new_changed=changed(c, c.name)
        + (f" OR NEW.{kept} IS DISTINCT FROM OLD.{kept}" if kept else ""),
    )


@dataclass(frozen=True, slots=True)
class Key:
    """A key that an index of the old and one of the new contract guard.

    Args:
        text: its new value as text.
        there: whether row `t` has it, by columns that have an index all the time.
    """

    text: str
    there: str


def twin_keys(t: TableChange, *, switched: bool) -> list[Key]:
    """The keys that an index of the old and one of the new contract guard."""
    # The side whose index is there all the time: the old one until the switch, then the new one.
    names = {} if switched else {c.name: c.old_name for c in t.columns}
    found = []
    for index in t.converted_indexes:
        if index.unique:
            parts = [f"NEW.{quote_ident(c)}" for c in index.columns]
            value = parts[0] if len(parts) == 1 else f"ROW({', '.join(parts)})"
            guarded = [quote_ident(names.get(c, c)) for c in index.columns]
            there = " AND ".join(f"t.{c} = NEW.{c}" for c in guarded)
            found.append(Key(f"{value}::text", there))
    return found


def tells_moved_rows(t: TableChange) -> bool:
    """Whether a row that an UPDATE moves to another partition differs from any insert.

    It comes as an insert with both sides filled. One of the old contract has on the new side
    nothing but defaults, and only constant ones can agree with its old side by chance.
    """
    return t.is_partitioned and any(
        c.not_null
        and (c.new_default is None or (c.new_type == "uuid" and not c.new_default.startswith("'")))
        for c in t.columns
    )


def is_in_step(c: ColumnChange) -> str:
    """The condition that both sides of a column mean the same."""
    new, old = f"NEW.{quote_ident(c.name)}", f"NEW.{quote_ident(c.old_name)}"
    return f"{c.meant(new)} IS NOT DISTINCT FROM {c.meant(c.new_from(old))}"


def _nonnull(columns: Sequence[str], *, some: bool) -> str:
    names = [f"NEW.{quote_ident(name)}" for name in columns]
    if not names[1:]:
        return f"{names[0]} IS {'NOT NULL' if some else 'NULL'}"
    return f"num_nonnulls({', '.join(names)}) {'> 0' if some else '= 0'}"


def _given_to_table(t: TableChange, *, switched: bool) -> list[str]:
    """The conditions of which one holds when a row was given a value for the side of the table.

    What a default gave it that is no constant cannot be told from a value.
    """
    undefaulted, given = [], []
    for c in t.columns:
        name, default = (
            (c.name, c.new_default) if switched else (c.old_name, c.old_default or c.type_default)
        )
        if default is None or default.startswith("NULL"):
            undefaulted.append(name)
        elif _CONSTANT.fullmatch(default):
            value = c.compared(f"NEW.{quote_ident(name)}")
            given.append(f"{value} IS DISTINCT FROM {c.compared(default)}")
    return [_nonnull(undefaulted, some=True), *given] if undefaulted else given


# A literal, maybe with its type.
_CONSTANT = re.compile(r"E?'(?:[^']|'')*'(::[^']*)?")

_NOTES = {
    False: "Keeps both sides of each row equal. Values on the new side alone of a new row say that "
    "the new contract wrote it.",
    True: "The same from the switch on, under the names that the columns have then; here values "
    "on the old side alone say that\nthe old contract wrote a new row. It stays beyond contract, "
    "for the way back.",
}


def _function(
    t: TableChange, *, switched: bool, guarded: bool | None = None, note: str = ""
) -> Statement:
    """The trigger's function of one of the two states.

    Args:
        t: the table, before the switch as it is until then.
        switched: whether the new contract has the table: the side that has defaults is then the
            new one, and a value on the other side says who wrote a row.
        guarded: whether the new side's indexes are there all the time, and not the old one's, if
            that differs.
        note: the comment above it, where it is another one.
    """
    by_new = switched if guarded is None else guarded
    moves = t.is_partitioned and (not switched or tells_moved_rows(t))
    # All of them: who writes NULL where none may be is refused, and not taken for the other one.
    # Who gives both sides has the table, as a view shows one: a copy of a row keeps its changes.
    own, line = _given_to_table(t, switched=switched), "\n            "
    if not switched:
        by_old = f"{line}OR ".join([_nonnull([c.name for c in t.columns], some=False), *own])
    else:
        by_old = _nonnull([c.old_name for c in t.columns], some=True)
        if own:
            same = "" if moves else f"{line}OR {' AND '.join(map(is_in_step, t.columns))}"
            by_old += f"{line}AND (NOT ({' OR '.join(own)}){same})"
    sides = [_sides(c, 12 if moves else 8) for c in t.columns]
    # Between switch and contract the table may move; the view follows it.
    keys = quote_name(t.sides if switched and t.keeps_name else t.new)
    return Statement(
        text(
            "triggers",
            "sync",
            function=quote_name(t.sync_switched if by_new else t.sync),
            written_by_old=by_old,
            unconverted=unfilled(t, "OLD."),
            columns=sides,
            defaulted=[
                side
                for side, c in zip(sides, t.columns, strict=True)
                if switched and c is t.anchor and c.new_default
            ],
            moved=[is_in_step(c) for c in t.columns] if moves else [],
            filled=" AND ".join(
                f"NEW.{quote_ident(c.old_name if switched else c.name)} IS NOT NULL"
                for c in ([t.anchor] if t.anchor else t.columns)
            ),
            marker=quote_name(t.marker) if switched else "",
            twin_keys=twin_keys(t, switched=by_new),
            keys=keys,
            named=quote_literal(keys),
        ),
        note=note or _NOTES[switched],
    )


def expand(t: TableChange, before: TableChange) -> list[Paragraph]:
    """The trigger that keeps both sides of each row equal.

    Args:
        t: the table.
        before: the table as it is until the switch.
    """
    return [
        [_function(before, switched=False)],
        [_function(t, switched=True)],
        [hand_over(before, t.sync, t.sync_switched)],
        *triggers(before, before.sync),
    ]


def expand_and_switch(t: TableChange) -> list[Paragraph]:
    """The same, where the new contract has the table from expand on.

    Until contract only the old side has an index that is there all the time, and after it only the
    new one has.

    Args:
        t: the table as it is from the switch on.
    """
    first = (
        "Keeps both sides of each row equal. Values on the old side alone of a new row say that the"
    )
    second = "The same by the index of the new key: contract puts it in the place of the other one."
    return [
        [_function(t, switched=True, guarded=False, note=f"{first} old\ncontract wrote it.")],
        [_function(t, switched=True, note=second)],
        [hand_over(t, t.sync, t.sync_switched)],
        *triggers(t, t.sync),
    ]


def hand_over(t: TableChange, *functions: Name) -> Statement:
    """What lets functions of triggers run with the rights of the table's owner."""
    names = ", ".join(quote_literal(name.name) for name in functions)
    return Statement(f"CALL trueup.hand_over({quote_literal(quote_name(t.new))}, {names});")


def triggers(t: TableChange, function: Name, *, replace: bool = False) -> list[Paragraph]:
    """The triggers, or in their place those that call another function.

    Args:
        t: the table, before the switch as it is until then.
        function: what keeps both sides equal under the names that the columns have.
        replace: whether they are there.
    """
    table, execute = quote_name(t.new), f"EXECUTE FUNCTION {quote_name(function)}();"
    create = "CREATE OR REPLACE" if replace else "CREATE"
    insert = (
        f"{create} TRIGGER zz_trueup_sync_insert BEFORE INSERT ON {table}\nFOR EACH ROW {execute}"
    )
    update = (
        f"{create} TRIGGER zz_trueup_sync_update BEFORE UPDATE ON {table}\nFOR EACH ROW WHEN (\n"
        f"    {unfilled(t, 'NEW.')}\n"
        f"    OR {any_changed((c, c.old_name) for c in t.columns)}\n"
        f"    OR {_converted(t, 'OLD.')} AND {any_changed((c, c.name) for c in t.columns)}\n"
        f")\n{execute}"
    )
    if replace:
        note = "From here on the trigger's function is the one for these names of the columns."
        if t.at_expand:
            side = "old" if function == t.sync else "new"
            note = f"From here on the trigger looks keys up by the index of the {side} one."
        return [[hand_over(t, function), Statement(insert, note=note), Statement(update)]]
    return [
        [Statement(insert, note="Their names make them fire after the service's own triggers.")],
        [
            Statement(
                update,
                note="Silent for the backfill, and for updates of other columns; but a row that a "
                "client moves before\nthe backfill comes to it is converted at once, or the "
                "backfill would never meet it.",
            )
        ],
    ]


def sides(t: TableChange, *, switched: bool = False) -> list[Statement]:
    """The view by which tables that refer to it find the old spelling of a key.

    Its names hold on both sides of the switch, as a view follows the renames of its columns.

    Args:
        t: the table, before the switch as it is until then.
        switched: whether the new contract has the table.
    """
    names = {c.name if switched else c.old_name: c for c in t.columns}
    shown = []
    for name in t.looked_up:
        column = quote_ident(name)
        if c := names.get(name):
            old = quote_ident(shorten(name, "__old"))
            shown += [f"{quote_ident(c.old_name)} AS {old}", f"{quote_ident(c.name)} AS {column}"]
        else:
            shown.append(column)
    if not shown:
        return []
    return [
        Statement(
            f"CREATE VIEW {quote_name(t.sides)} AS SELECT {', '.join(shown)}"
            f" FROM {quote_name(t.new)};",
            undo=(drop_sides(t),),
            note="Where references find how a key is spelled. A view follows renames: the switch "
            "leaves its names.",
        ),
        *plain(
            f"CALL trueup.keep_private({quote_literal(t.sides.name)});",
            "CALL trueup.share();",
        ),
    ]


def drop_sides(t: TableChange) -> Statement:
    """The end of that view."""
    return Statement(f"DROP VIEW {quote_name(t.sides)};")


def drop(t: TableChange) -> list[Statement]:
    """The end of the triggers."""
    table = quote_name(t.new)
    return plain(
        f"DROP TRIGGER zz_trueup_sync_update ON {table};",
        f"DROP TRIGGER zz_trueup_sync_insert ON {table};",
    )


def expand_back(t: TableChange) -> list[Statement]:
    """The end of the triggers and of their functions."""
    return [
        *drop(t),
        *plain(f"DROP FUNCTION {quote_name(t.sync_switched)}(), {quote_name(t.sync)}();"),
    ]
