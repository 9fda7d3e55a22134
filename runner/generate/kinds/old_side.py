"""The old side of a table: what the rollback of contract makes again, while clients work.

The rollback runs these files from the last to the first: the old columns come back empty with a
trigger, a backfill fills them, their indexes are built, and the keys change places.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from runner.generate.dependent import DependentChange
from runner.generate.files import OWN_ID, File
from runner.generate.kinds import (
    check,
    column,
    foreign_key,
    index,
    key,
    not_null,
    partition,
    publication,
    reversal,
    standing,
    sync,
    trigger,
)
from runner.generate.locks import brief, locked
from runner.generate.model import ColumnChange, ForeignKeyChange, IndexChange, TableChange
from runner.generate.statement import (
    BRIEFLY,
    Paragraph,
    Statement,
    alter,
    comment_on_constraint,
    literal_list,
    lock,
    plain,
)
from runner.generate.text import text
from runner.generate.unit import Unit, listed
from runner.generate.wording.predicates import restate, with_columns
from runner.postgres.locks import LockMode
from runner.quoting import Name, dollar_quote, quote_ident, quote_literal, quote_name

_FOLDER = "online/contract"


@dataclass(frozen=True, slots=True)
class _Side:
    """What the trigger's text says of a column: its old name, and SQL."""

    old: str
    filled: str
    updated: str
    changed: str


# What a value was under the old contract.


def _spelled(
    u: Unit, t: TableChange, c: ColumnChange, row: str, indent: int, *, parents: bool = True
) -> str:
    """The old value of a row that has none yet.

    It follows from the row's new values alone, so that a reference and its key are spelled alike
    whichever is written first.

    Args:
        u: the unit.
        t: the table.
        c: the column.
        row: what stands before the names of the row's columns.
        indent: how far the statement is indented.
        parents: whether the old columns of all parents are there.
    """
    value = f"{row}{quote_ident(c.name)}"
    derived = c.old_from(value, f"{row}{quote_ident(c.kept)}" if c.kept else None)
    found = [reversal.spelling(t, c, row)] if t.keeps_spellings and c in t.reversible else []
    if c.parent is not None:
        pairs = [(far, f"{row}{quote_ident(here)}") for here, far in c.parent.pairs]
        parent = u.table(c.parent.table)
        if parents or u.place(parent) <= u.place(t):
            match = " AND ".join(f"p.{quote_ident(far)} = {here}" for far, here in pairs)
            found.append(
                f"(SELECT p.{quote_ident(c.parent.old_name)} FROM {quote_name(parent.new)} AS p"
                f" WHERE {match})"
            )
        table, root = u.root(c)
        if table.keeps_spellings and root in table.reversible:
            kept = {*table.key, *(r.name for r in table.reversible)}
            wanted = [(root.name, value)]
            if table is parent:
                wanted = [(far, here) for far, here in pairs if far in kept]
            found.append(reversal.spelling(table, root, row, wanted, first=True))
    if not found:
        return derived
    inner, outer = "\n" + " " * (indent + 4), "\n" + " " * indent
    return f"coalesce({inner}" + f",{inner}".join([*found, derived]) + f"{outer})"


def _unfilled(t: TableChange, row: str) -> str:
    """The condition that a row's old side is not filled yet."""
    if t.anchor:
        return f"{row}{quote_ident(t.anchor.old_name)} IS NULL"
    return " OR ".join(
        f"{row}{quote_ident(c.name)} IS NOT NULL AND {row}{quote_ident(c.old_name)} IS NULL"
        for c in t.columns
    )


def _changed(c: ColumnChange) -> str:
    found = sync.changed(c, c.name)
    if c.kept:
        kept = quote_ident(c.kept)
        found += f" OR NEW.{kept} IS DISTINCT FROM OLD.{kept}"
    return found


def _updated(u: Unit, t: TableChange, c: ColumnChange) -> str:
    if c.to_old_beside is None:
        return _spelled(u, t, c, "NEW.", 12, parents=False)
    new, old = quote_ident(c.name), quote_ident(c.old_name)
    return c.old_beside(f"NEW.{new}", f"OLD.{new}", f"OLD.{old}")


def _trigger(u: Unit, t: TableChange) -> list[Paragraph]:
    """The trigger that fills the old side of what clients of the new contract write."""
    sides = [
        _Side(
            quote_ident(c.old_name),
            _spelled(u, t, c, "NEW.", 8, parents=False),
            _updated(u, t, c),
            _changed(c),
        )
        for c in t.columns
    ]
    function = text(
        "sync_back.sql",
        function=quote_name(t.sync_back),
        columns=sides,
        moved=[sync.is_in_step(c) for c in t.columns] if sync.tells_moved_rows(t) else [],
        unfilled=_unfilled(t, "OLD."),
        keys=quote_name(t.new),
        twin_keys=sync.twin_keys(t, switched=True),
    )
    on, execute = quote_name(t.new), f"EXECUTE FUNCTION {quote_name(t.sync_back)}();"
    changed = sync.any_changed((c, c.name) for c in t.columns)
    return [
        [Statement(function, note="Fills the old side of each row that is written meanwhile.")],
        plain(f"CALL trueup.keep_private({quote_literal(t.sync_back.name)});"),
        plain(
            f"CREATE TRIGGER zz_trueup_sync_insert BEFORE INSERT ON {on}\nFOR EACH ROW {execute}",
            f"CREATE TRIGGER zz_trueup_sync_update BEFORE UPDATE ON {on}\nFOR EACH ROW WHEN (\n"
            f"    {_unfilled(t, 'NEW.')}\n    OR {changed}\n)\n{execute}",
        ),
    ]


def no_more(t: TableChange) -> list[Statement]:
    """The end of the trigger that keeps both sides equal, or that filled the old one."""
    back = f"DROP FUNCTION IF EXISTS {quote_name(t.sync_back)}();"
    note = "A rollback that was broken off may have left it."
    return [*sync.drop(t), Statement(back, note=note)]


# The columns.


def _own_checks(t: TableChange) -> Iterator[tuple[str, str, bool, str | None]]:
    """The old CHECKs of converted columns: name, definition, whether it is proven, comment."""
    for k in t.relation.constraints:
        if k.kind == "c" and not t.converted.keys().isdisjoint(k.columns):
            yield k.name, with_columns(restate(k.definition), t.old_names), k.validated, k.comment


def _proven(t: TableChange) -> list[str]:
    """The CHECKs that are validated once the old columns are filled."""
    found = [not_null.filled(t, c) for c in t.columns if c.not_null]
    return found + [name for name, _, validated, _ in _own_checks(t) if validated]


def _held_filled(t: TableChange) -> list[str]:
    """The clauses that hold new rows to a filled old side, and cost no scan."""
    return [
        f"ADD CONSTRAINT {quote_ident(not_null.filled(t, c))}"
        f" CHECK ({quote_ident(c.old_name)} IS NOT NULL) NOT VALID"
        for c in t.columns
        if c.not_null
    ]


def columns_again(u: Unit, t: TableChange) -> list[Paragraph]:
    """The old columns, empty, with what new rows are held to, and their trigger."""
    checks = _held_filled(t)
    checks += [
        f"ADD CONSTRAINT {quote_ident(name)} {definition}{' NOT VALID' if validated else ''}"
        for name, definition, validated, _ in _own_checks(t)
    ]
    comments = [
        comment_on_constraint(t.new, name, note)
        for name, _, _, note in _own_checks(t)
        if note is not None
    ]
    renamed = [
        s
        for i in t.converted_indexes
        if not i.constraint
        for s in (
            *([index.rename(t.new, i.name, i.build_name)] if i.name != i.build_name else []),
            *partition.rename_indexes(t, i, partition.new_name, partition.build_name),
        )
    ]
    unproven = all(validated for _, _, validated, _ in _own_checks(t))
    held = Statement(alter(t.new, checks), note="" if unproven else check.NEVER_VALIDATED)
    return [
        renamed,
        column.add_old(t),
        sync.sides(t, switched=True),
        [*([held] if checks else []), *comments],
        *_trigger(u, t),
    ]


def fill(u: Unit, t: TableChange, table: Name, after: Sequence[File]) -> File:
    """What fills the old columns of a table, or of a partition, on the way back."""
    quoted = quote_name(table)
    walk = sync.walk(
        quoted,
        f"{quoted} AS t",
        assignments=[
            f"{quote_ident(c.old_name)} = {_spelled(u, t, c, 't.', 8)}" for c in t.columns
        ],
        unfilled=_unfilled(t, ""),
        filled=[c.old_name for c in t.columns],
        proven=_proven(t),
        names_operators=t.names_operators,
        listed=_listed(t),
    )
    forget = Statement(f"DELETE FROM trueup.progress WHERE file = {OWN_ID};", alone=True)
    return File(
        unlike=f"fill {table}",
        folder=_FOLDER,
        phase="contract",
        subject=f"{t.prefix}{table.name}_fill",
        title=f"Before the old columns of {table.name} go: on the way back they are filled here.",
        does="changes no row; its rollback fills the old columns from the new ones and the "
        "spellings that were kept, in batches of pages",
        cost="none",
        undo=f"writes each row of {table.name} once, for which it goes over each 10 MB nine "
        "times, and reads it twice more; can be stopped and run again at any point; the table "
        "grows until VACUUM",
        body=[[forget]],
        rollback=[[Statement(walk, alone=True)]],
        back="Fills the old columns in batches, and comes back to rows that clients hold; can be "
        "stopped and run again.",
        back_locks=sync.WALK_LOCKS,
        back_cost=f"writes each row of {table.name} once, for which it goes over each 10 MB nine "
        f"times, and reads {table.name} twice more; the table grows until VACUUM",
        after=after,
    )


def fill_late(u: Unit, t: TableChange, after: Sequence[File]) -> File:
    """What fills the old columns of partitions that are made after these files, on the way back."""
    root = quote_name(t.new)
    written = _listed(t)
    of = f", {literal_list(written)}" if written else ""
    sets = ",\n    ".join(
        f"{quote_ident(c.old_name)} = {_spelled(u, t, c, 't.', 4)}" for c in t.columns
    )
    return File(
        unlike=f"fill late {t.new}",
        folder=_FOLDER,
        phase="contract",
        subject=f"{t.prefix}{t.new.name}_fill_late",
        title=f"Before the old columns of {t.new.name} go: on the way back the partitions that no "
        "file names are filled here.",
        does="changes no row; its rollback fills the old columns of what the files of the "
        "partitions left, in one statement",
        cost="none",
        undo=f"reads {t.new.name} once, writes the rows of partitions that were made later",
        body=[[BRIEFLY]],
        rollback=[
            [
                BRIEFLY,
                Statement(
                    "SELECT set_config('session_replication_role', 'replica', true)\n"
                    f"FROM trueup.woken_triggers({quote_literal(root)}{of})\nLIMIT 1;",
                    note="The service's own triggers are not to see it.",
                ),
            ],
            [Statement(f"UPDATE {root} AS t\nSET\n    {sets}\nWHERE {_unfilled(t, 't.')};")],
        ],
        back="Fills partitions that were made later: holds their rows until it is done.",
        after=after,
    )


def _listed(t: TableChange) -> list[str]:
    """The old columns that triggers of UPDATE OF list."""
    return [c.old_name for c in t.columns if c.name in trigger.listed(t)]


# The indexes.


def key_indexes(t: TableChange, after: Sequence[File]) -> Iterator[File]:
    """The files that, on the way back, build what the keys of both sides rest on, one by one.

    The old one first, as it was before contract: the server checks a row in the order in which
    indexes were made, so that an upsert of the old contract meets its own index first.
    """
    for i in t.converted_indexes:
        if t.is_partitioned:
            for table, part in partition.leaves(t, i) if i.constraint else ():
                if i.constraint == "PRIMARY KEY":
                    file = _index(t, table, part, part.again_name, after, new=True)
                    yield file
                    after = [file]
                file = _index(t, table, part, part.back_name, after, new=False)
                yield file
                after = [file]
        elif i.constraint:
            for name, new in ((i.again_name, True), (i.back_name, False)):
                file = _index(t, t.new, i, name, after, new=new)
                yield file
                after = [file]


def indexes(t: TableChange, after: Sequence[File]) -> Iterator[File]:
    """The files that take the other old indexes away; on the way back they build them."""
    for i in t.converted_indexes:
        if i.constraint:
            continue
        places = (
            [(table, part, part.back_name) for table, part in partition.leaves(t, i)]
            if t.is_partitioned
            else [(t.new, i, i.old_name)]
        )
        for table, part, name in places:
            file = _index(t, table, part, name, after, new=False)
            yield file
            after = [file]


def _index(
    t: TableChange, table: Name, i: IndexChange, name: str, after: Sequence[File], *, new: bool
) -> File:
    unique, qualified = "UNIQUE " if i.unique else "", quote_name(Name(table.schema, name))
    is_old, mode = name == i.old_name, LockMode.SHARE_UPDATE_EXCLUSIVE
    side = "new" if new else "old"
    gone = Statement(
        f"DROP INDEX CONCURRENTLY IF EXISTS {qualified};",
        locks=(lock(mode, table),) if is_old else (),
        alone=True,
    )
    built = Statement(
        f"CREATE {unique}INDEX CONCURRENTLY {quote_ident(name)} ON {quote_name(table)}"
        f" {partition.method(t, i, new=new)};",
        alone=True,
    )
    return File(
        unlike=f"old index {name} {table}",
        folder=_FOLDER,
        phase="contract",
        subject=t.prefix + name,
        title=f"Drop the index {name} of the old columns of {table.name}."
        if is_old
        else f"Before the old key of {table.name} goes: on the way back its {side} index is built.",
        does="drops it"
        if is_old
        else f"drops {name}, if a rollback that was broken off left it; its rollback builds it on "
        f"the {side} columns",
        cost=f"waits for transactions that are older{'' if is_old else ', if the index is there'}",
        undo=f"builds {name}: reads {table.name} twice and waits for transactions that are older",
        locks_said=""
        if is_old
        else f"{mode} on {table.name}, if the index is there: reads and writes go on",
        body=[[gone]],
        rollback=[[built]],
        back=f"Builds {name} on the {side} columns: reads and writes go on. If it fails it leaves "
        f"an invalid index: DROP INDEX CONCURRENTLY {qualified}, then run it again.",
        after=after,
    )


# The keys.


def _resting(t: TableChange) -> list[ForeignKeyChange]:
    """The foreign keys of the new contract that rest on a key that changes its place."""
    keys = [
        {*i.columns}
        for i in t.converted_indexes
        if i.constraint and not (t.is_partitioned and i.constraint == "UNIQUE")
    ]
    return [
        k
        for k in t.touching
        if k.converted and k.references == t.new and {*k.referenced_columns} in keys
    ]


def keys(u: Unit, t: TableChange, after: Sequence[File]) -> File:
    """The new keys in place of the old ones, and back."""
    new, late = t.new.name, u.late(t)
    resting = key.resting_on(t)
    named = [i.name for i in t.converted_indexes if i.constraint]
    locks = (*(lock(LockMode.ACCESS_EXCLUSIVE, k.table) for k in resting), locked(t, t.new))
    published = publication.on(t, t.new, t.renamed, new=True)
    changed = [publication.off(t, t.new), *key.contract(t), published] if published else None
    body = standing.with_keys(u, late, changed or key.contract(t))
    more = f", with what groups by them: {listed(d.label for d in late)}" if late else ""
    more += "; lets publications name the new columns" if published else ""
    if held := _held_filled(t):
        note = (
            "The rollback sets NOT NULL by these CHECKs, whether contract came to its end or not;"
            "\nthey go with their columns."
        )
        body.append([Statement(alter(t.new, held), note=note)])
    return File(
        unlike=f"keys {t.new}",
        folder=_FOLDER,
        phase="contract",
        subject=f"{t.stem}_keys",
        title=f"Make the unique indexes of {new} its keys."
        if named
        else f"Before the old columns of {new} go: on the way back they are NOT NULL again here.",
        does=f"makes them the keys in place of the old ones{more}"
        if named
        else "changes no column; its rollback sets NOT NULL and lets the trigger serve both sides"
        + more,
        held=brief(t),
        cost="no rewrite, no scan",
        undo="the old keys in place of the new ones, whose foreign keys are added again as NOT "
        "VALID: instant",
        body=[[Statement(BRIEFLY.sql, locks=locks if body else ())], *body],
        rollback=_keys_back(u, t, late),
        back=f"Gives {new} its old keys beside the new unique indexes: instant. Where contract was "
        "broken off before it had built an index for that, builds it under the lock if the table "
        "is small, and refuses with the statement to run if it is large.",
        after=after,
    )


def _keys_back(u: Unit, t: TableChange, late: Sequence[DependentChange]) -> list[Paragraph]:
    resting, names = _resting(t), _proven(t)
    inherited = (
        [Statement(alter(t.new, (f"VALIDATE CONSTRAINT {quote_ident(n)}" for n in names)))]
        if t.is_partitioned and names
        else []
    )
    built = [
        partition.require_built(t, i, name, new=new)
        for i in (t.converted_indexes if t.is_partitioned else [])
        for name, new in (
            (partition.back_name, False),
            *([(partition.again_name, True)] if i.constraint == "PRIMARY KEY" else []),
        )
    ]
    for i in t.converted_indexes:
        if i.constraint and t.is_partitioned:
            for place, part in partition.leaves(t, i):
                built.append(_required(t, place, part, part.back_name, new=False))
                if i.constraint == "PRIMARY KEY":
                    built.append(_required(t, place, part, part.again_name, new=True))
        elif i.constraint:
            built.append(_required(t, t.new, i, i.back_name, new=False))
            built.append(_required(t, t.new, i, i.again_name, new=True))
    changed: list[Paragraph] = []
    for i in t.converted_indexes:
        if t.is_partitioned:
            changed.append(_back_in_partitions(t, i))
        elif i.constraint:
            changed.append(
                [
                    Statement(
                        alter(
                            t.new,
                            [
                                f"DROP CONSTRAINT {quote_ident(i.name)}",
                                f"ADD CONSTRAINT {quote_ident(i.old_name)} {i.constraint} USING"
                                f" INDEX {quote_ident(i.back_name)}{i.deferral}",
                            ],
                        )
                    ),
                    index.rename(t.new, i.again_name, i.build_name),
                ]
            )
    settings = [
        s
        for i in t.converted_indexes
        for s in (
            *index.settings(i, i.old_name, t.new),
            *partition.settings(t, i, partition.old_name),
        )
    ]
    back = [
        [foreign_key.locked_with(resting, t.new), *built],
        publication.off(t, t.new),
        inherited,
        not_null.old_side(t),
        [foreign_key.drop(k.table, k.name) for k in resting],
        *changed,
        [s for k in resting for s in foreign_key.add_unproven(u, k)],
        settings,
        publication.on(t, t.new, t.old_names, new=False),
        *sync.triggers(t, t.sync_switched, replace=True),
        plain(f"DROP FUNCTION IF EXISTS {quote_name(t.sync_back)}();"),
    ]
    return [
        [BRIEFLY, *(foreign_key.check_at_once() if t.defers else [])],
        *standing.with_keys(u, late, back, back=True),
    ]


def _required(t: TableChange, table: Name, i: IndexChange, name: str, *, new: bool) -> Statement:
    """What makes sure of an index that is not there if contract was broken off before its file."""
    return Statement(
        f"CALL trueup.require_index({quote_literal(quote_name(table))}, {quote_literal(name)}, "
        f"{dollar_quote(partition.method(t, i, new=new))});"
    )


def _back_in_partitions(t: TableChange, i: IndexChange) -> Paragraph:
    """The old index of a partitioned table from those of its partitions, beside the new one."""
    root, new = quote_name(t.new), quote_ident(i.build_name)
    if not i.constraint:
        unique, old = "UNIQUE " if i.unique else "", quote_ident(i.old_name)
        return [
            *partition.rename_indexes(t, i, partition.back_name, partition.old_name),
            *partition.indexes(t, i, partition.old_name, new=False, beside=True),
            Statement(f"CREATE {unique}INDEX {old} ON {root} {partition.method(t, i, new=False)};"),
        ]
    found: list[Statement] = []
    if i.constraint == "UNIQUE":
        found += partition.rename_indexes(t, i, partition.new_name, partition.build_name)
        if i.build_name != i.name:
            found.append(index.rename(t.new, i.name, i.build_name))
    else:
        found.append(Statement(f"ALTER TABLE {root} DROP CONSTRAINT {quote_ident(i.name)};"))
    found += partition.promote(t, i, partition.old_name, partition.back_name, new=False)
    found.append(
        Statement(
            f"ALTER TABLE {root} ADD CONSTRAINT {quote_ident(i.old_name)}"
            f" {partition.definition(t, i, new=False)};",
            note=partition.TAKES_IN,
        )
    )
    if i.constraint == "PRIMARY KEY":
        found += partition.rename_indexes(t, i, partition.again_name, partition.build_name)
        found += partition.indexes(t, i, partition.build_name, new=True, beside=True)
        found.append(Statement(f"CREATE UNIQUE INDEX {new} ON {root} {i.new_method};"))
    return found
