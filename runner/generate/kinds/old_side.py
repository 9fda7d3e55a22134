"""The old side of a table: what the rollback of contract makes again, while clients work.

The rollback runs its files from the last to the first: the old columns come back empty, they are
filled, their indexes are built, and the keys change places.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from runner.generate.dependent import DependentChange
from runner.generate.files import FOR_ROLLBACK, File
from runner.generate.kinds import (
    check,
    column,
    foreign_key,
    index,
    key,
    not_null,
    old_foreign_key,
    old_values,
    partition,
    publication,
    standing,
    sync,
)
from runner.generate.locks import brief, locked
from runner.generate.model import ForeignKeyChange, IndexChange, TableChange
from runner.generate.statement import (
    BRIEFLY,
    Paragraph,
    Statement,
    alter,
    comment_on_constraint,
    lock,
    plain,
)
from runner.generate.unit import Unit, listed
from runner.generate.wording.predicates import restate, with_columns
from runner.postgres.locks import LockMode
from runner.quoting import Name, dollar_quote, quote_ident, quote_literal, quote_name


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


def proven(t: TableChange) -> list[str]:
    """The CHECKs that are validated once the old columns are filled."""
    found = [not_null.filled(t.new.name)] if any(c.not_null for c in t.columns) else []
    return found + [name for name, _, validated, _ in _own_checks(t) if validated]


def _held_filled(t: TableChange) -> list[str]:
    """The clause that holds new rows to a filled old side, and costs no scan; if any is needed."""
    columns = [c.old_name for c in t.columns if c.not_null]
    name, condition = quote_ident(not_null.filled(t.new.name)), not_null.are_filled(columns)
    return [f"ADD CONSTRAINT {name} CHECK ({condition}) NOT VALID"] if columns else []


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
        *old_values.trigger(u, t),
    ]


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
        f" {partition.placed(t, i, new=new)};",
        alone=True,
    )
    return File(
        unlike=f"old index {name} {table}",
        phase="contract",
        subject=t.prefix + name,
        title=f"Drop the index {name} of the old columns of {table.name}."
        if is_old
        else f"{FOR_ROLLBACK}build an index for the {side} key of {table.name}.",
        does="drops it"
        if is_old
        else f"drops {name} if a broken-off rollback left it; its rollback builds it on the {side} "
        "columns",
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
            "By it the rollback sets NOT NULL, wherever contract ended; it goes with its columns."
        )
        body.append([Statement(alter(t.new, held), note=note)])
    return File(
        unlike=f"keys {t.new}",
        phase="contract",
        subject=f"{t.stem}_keys",
        title=f"Make the unique indexes of {new} its keys."
        if named
        else f"{FOR_ROLLBACK}set NOT NULL on the old columns of {new}.",
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
        back=f"Gives {new} its old keys beside the new unique indexes: instant. An index that a "
        "broken-off contract did not come to is built under the lock if the table is small; if it "
        "is large, refuses with the statement to run.",
        after=after,
    )


def _keys_back(u: Unit, t: TableChange, late: Sequence[DependentChange]) -> list[Paragraph]:
    resting, names = _resting(t), proven(t)
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
        s for i in t.converted_indexes for s in partition.settings(t, i, partition.old_name, t.new)
    ]
    back = [
        [foreign_key.locked_with(resting, t.new), *built],
        publication.off(t, t.new),
        inherited,
        not_null.old_side(t),
        [foreign_key.drop(k.table, k.name) for k in resting],
        *changed,
        [s for k in resting for s in old_foreign_key.add_unproven(u, k)],
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
        f"{dollar_quote(partition.placed(t, i, new=new))});"
    )


def _back_in_partitions(t: TableChange, i: IndexChange) -> Paragraph:
    """The old index of a partitioned table from those of its partitions, beside the new one."""
    root, new = quote_name(t.new), quote_ident(i.build_name)
    if not i.constraint:
        unique, old = "UNIQUE " if i.unique else "", quote_ident(i.old_name)
        return [
            *partition.rename_indexes(t, i, partition.back_name, partition.old_name),
            *partition.indexes(t, i, partition.old_name, new=False, beside=True),
            Statement(f"CREATE {unique}INDEX {old} ON {root} {partition.placed(t, i, new=False)};"),
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
        method = partition.placed(t, i, new=True)
        found.append(Statement(f"CREATE UNIQUE INDEX {new} ON {root} {method};"))
    return found
