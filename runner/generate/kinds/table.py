"""A table: it gets its new name, and what only follows that name."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from runner.generate.dependent import DependentChange
from runner.generate.files import File
from runner.generate.kinds import (
    check,
    column,
    exclusion,
    foreign_key,
    generated,
    index,
    new_view,
    not_null,
    old_side,
    partition,
    publication,
    reversal,
    row_type,
    same,
    settings,
    switch,
    sync,
    trigger,
)
from runner.generate.kinds.same import At
from runner.generate.locks import brief, locked
from runner.generate.model import Obstacle, TableChange
from runner.generate.statement import (
    BRIEFLY,
    Paragraph,
    Statement,
    alter,
    plain,
    taken_back,
    undone,
)
from runner.generate.unit import Unit
from runner.quoting import Name, quote_ident, quote_name

# What only changes its name: kind, old name, new name.
Rename = tuple[str, str, str]


def obstacles(t: TableChange) -> Iterator[Obstacle]:
    """What a table holds that cannot be brought through unharmed.

    Args:
        t: the table and its changes.
    """
    relation = t.relation
    table = relation.qualified
    if not t.columns:
        return
    if relation.partition_bound is not None:
        yield Obstacle(
            str(table),
            f"is a partition of {relation.parents[0]}, and is converted with it",
            f"Name {relation.parents[0]} in standard.toml in its place.",
        )
    elif relation.parents or (relation.children and relation.kind != "p"):
        kin = relation.parents or relation.children
        yield Obstacle(
            str(table),
            f"shares columns with {', '.join(kin)} by inheritance, and such a table cannot "
            "be converted",
            "Leave its section out of standard.toml, or use declarative partitioning first.",
        )
    yield from of_columns(t)
    yield from index.of_functions(t)


def of_columns(t: TableChange) -> Iterator[Obstacle]:
    """What hangs on its converted columns and cannot be brought through."""
    if not t.columns:
        return
    yield from column.obstacles(t)
    yield from check.obstacles(t)
    for constraint in t.relation.constraints:
        yield from exclusion.obstacles(t, constraint)
        yield from not_null.obstacles(t, constraint)
    yield from generated.obstacles(t, t.relation)
    yield from publication.obstacles(t, t.relation)
    yield from index.obstacles(t)


@dataclass(frozen=True, slots=True)
class _Shown:
    """How expand shows the contract that has not the table: a header's words, statements, undo."""

    title: str
    does: str
    body: Sequence[Paragraph]
    rollback: Sequence[Paragraph]
    back: str


def expand(
    t: TableChange,
    before: TableChange,
    dependents: Iterable[DependentChange],
    after: Sequence[File],
) -> File:
    """The new contract beside the old one, which keeps the table until the switch.

    Args:
        t: the table.
        before: the table as it is until its columns have their new names.
        dependents: what stands on its converted columns.
        after: the files that must have run.
    """
    made = t if t.at_expand else before
    columns = ", ".join(f"{c.name} {c.new_type}" for c in made.columns)
    adds = f"adds {columns}, with their CHECKs as NOT VALID; " if columns else ""
    added = _added(t, before, dependents)
    shown = _switched(t) if t.at_expand else _beside(t, before)
    return File(
        unlike=f"expand {t.new}",
        phase="expand",
        subject=t.stem,
        title=shown.title,
        does=adds + shown.does,
        held=brief(t),
        cost="no rewrite, no scan",
        undo="instant, loses nothing",
        body=[
            [BRIEFLY],
            [
                _lock_table(t, t.old),
                same.require(t, At.OLD),
                *same.require_alike(t, At.OLD),
                row_type.require_none(t),
            ],
            *added,
            new_view.open_schema(t),
            *shown.body,
        ],
        rollback=[
            [BRIEFLY],
            *shown.rollback,
            *undone(added),
            new_view.close_schema(t),
            _settled(t),
        ],
        back=shown.back,
        after=after,
    )


def _added(
    t: TableChange, before: TableChange, dependents: Iterable[DependentChange]
) -> list[Paragraph]:
    """The new columns of a table that is as it is until the switch, and what guards them."""
    clauses = check.expand(before, t.switched if t.at_expand else before)
    gone = check.expand_back(before)
    if not before.columns:
        undo = plain(alter(before.new, gone))
        return [[Statement(alter(before.new, clauses), undo=tuple(undo))]] if clauses else []
    return [
        *column.expand(before, clauses, gone, check.note(before)),
        check.comments(before, before.new, built=True),
        sync.sides(before),
        *([] if t.at_expand else sync.expand(t, before)),
        *trigger.expand(t, dependents),
    ]


def _beside(t: TableChange, before: TableChange) -> _Shown:
    """The old contract keeps the table; the new one gets a view."""
    old, synced = t.old.name, "; a trigger keeps both sides of each row equal" * bool(t.columns)
    return _Shown(
        f"Give {old} its new contract beside the old one.",
        f"shows them under {switch.called(t)} in a view with the same owner and grants{synced}"
        f"; {old} keeps its name and its columns",
        new_view.expand(t),
        [
            [
                switch.locked(t, t.apart),
                same.require(t, At.EXPANDED, secured=True),
                *settings.carry_grants(t.old, t.apart, t.renamed.items()),
            ],
            [*(sync.expand_back(before) if t.columns else []), new_view.drop(t)],
        ],
        f"Takes the new contract of {old} away again: instant, loses nothing.",
    )


def _switched(t: TableChange) -> _Shown:
    """The new contract gets the table at once; the old one gets a view."""
    old, table = t.old.name, t.switched
    synced = " and the old columns another one; a trigger keeps both sides of each row equal"
    return _Shown(
        f"Give the table {old} to the new contract, and the old one a view.",
        f"gives the table {switch.called(t)}{synced * bool(t.columns)}; {old} lives on in a view "
        "that counts its uses. Until enforce is done the new columns are not filled, so no new "
        "release may run",
        [*switch.to_new(t), *(sync.expand_and_switch(table) if t.columns else [])],
        [
            switch.old_view_off(t, At.EXPANDED),
            sync.expand_back(table) if t.columns else [],
            *switch.to_old(t),
        ],
        f"Gives the table back to the old contract as {old}, and takes the new one away: "
        "instant, loses nothing.",
    )


def _lock_table(t: TableChange, name: Name) -> Statement:
    return Statement(
        f"LOCK TABLE {quote_name(name)} IN ACCESS EXCLUSIVE MODE;", locks=(locked(t, name),)
    )


def _settled(t: TableChange) -> Paragraph:
    crowded = not_null.crowded(t)
    settled = not_null.old_names(t, t.old, crowded) if crowded else []
    if settled:
        why = "the table keeps its own" if t.keeps_name else "it is cut at 63 bytes"
        note = f"Both sides wanted one name for their NOT NULL constraints, as {why}."
        settled[0] = Statement(settled[0].sql, note=note)
    return settled


def _renames(t: TableChange) -> list[Rename]:
    """The constraints that only change their name."""
    return [("constraint", old, new) for old, new in same.renames(t).items()]


def contract_renames(t: TableChange) -> list[Rename]:
    """What only changes its name when the old contract goes."""
    indexes = [("index", i.old_name, i.name) for i in t.indexes if not i.converted]
    checks = [("constraint", k.build_name, k.name) for k in t.checks]
    checks += [("constraint", built, name) for name, built in t.built_checks.items()]
    return [r for r in indexes + checks if r[1] != r[2]] + _renames(t)


def window_renames(t: TableChange) -> list[Rename]:
    """What changes its name when the columns are converted in place."""
    indexes = [("index", i.old_name, i.name) for i in t.indexes]
    return [r for r in indexes if r[1] != r[2]] + _renames(t)


def _renamed(t: TableChange, kind: str, old: str, new: str) -> str:
    if kind != "constraint":
        qualified = quote_name(Name(t.new.schema, old))
        return f"ALTER {kind.upper()} {qualified} RENAME TO {quote_ident(new)};"
    return (
        f"ALTER TABLE {quote_name(t.new)} RENAME CONSTRAINT {quote_ident(old)}"
        f" TO {quote_ident(new)};"
    )


def new_names(t: TableChange, renames: Iterable[Rename]) -> list[Statement]:
    """The names of the new contract: sequences, then what the caller has, then NOT NULLs."""
    sequences = [("sequence", old, new) for old, new in t.sequences]
    return [
        *plain(*(_renamed(t, *r) for r in [*sequences, *renames])),
        *not_null.new_names(t, t.new, not_null.not_null_columns(t)),
    ]


def old_names(t: TableChange, renames: Iterable[Rename], columns: Sequence[str]) -> list[Statement]:
    """The names of the old contract again; of these columns' NOT NULLs."""
    return [
        *plain(*(_renamed(t, kind, new, old) for kind, old, new in renames)),
        *not_null.old_names(t, t.new, columns),
    ]


def contract(t: TableChange, u: Unit, after: Sequence[File]) -> File:
    """The end of the old side, and the names of the new one."""
    new = t.new.name
    return File(
        unlike=f"finish {t.new}",
        phase="contract",
        subject=t.stem,
        title=f"Leave {new} with its new contract alone.",
        does="drops the trigger and the old columns; gives indexes and constraints their names "
        "under the standard"
        if t.columns
        else "gives indexes and constraints their names under the standard",
        held=brief(t),
        cost="no rewrite, no scan" + ("; reads the spellings that are kept" * t.keeps_spellings),
        undo="instant: adds the old columns behind the others, empty, with a trigger that fills "
        "what clients write; the files before it fill the rest. The order of columns that the "
        "table had does not come back"
        if t.columns
        else "instant",
        body=[
            [BRIEFLY],
            reversal.forget_deleted(t),
            [_lock_table(t, t.new), same.require(t, At.DROPPING)],
            *_contract(t),
        ],
        rollback=_contract_back(t, u),
        back=f"Adds the old columns of {new} again, behind the others and empty: instant."
        if t.columns
        else f"Gives what belongs to {new} its old names: instant.",
        after=after,
    )


def _contract(t: TableChange) -> list[Paragraph]:
    plain_indexes = [i for i in t.converted_indexes if not i.constraint]
    renamed = [
        *(
            index.rename(t.new, i.build_name, i.name)
            for i in plain_indexes
            if i.build_name != i.name
        ),
        *(
            s
            for i in plain_indexes
            for s in partition.rename_indexes(t, i, partition.build_name, partition.new_name)
        ),
    ]
    return [
        [*old_side.no_more(t), *([sync.drop_sides(t)] if t.looked_up else [])] if t.columns else [],
        [column.drop_old(t)] if t.columns else [],
        new_names(t, contract_renames(t)),
        renamed,
    ]


def _contract_back(t: TableChange, u: Unit) -> list[Paragraph]:
    staying = [name for name in not_null.not_null_columns(t) if name not in t.converted]
    sequences = [("sequence", old, new) for old, new in t.sequences]
    return [
        [BRIEFLY, *(foreign_key.check_at_once() if t.defers else [])],
        reversal.tell_forgotten(t),
        [_lock_table(t, t.new), same.require(t, At.NEW)],
        [
            *taken_back(column.rename(t)),
            *old_names(t, [*sequences, *contract_renames(t)], staying),
            *column.rename(t),
        ],
        *(old_side.columns_again(u, t) if t.columns else []),
    ]
