"""A table: it gets its new name, and what only follows that name."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from runner.generate.dependent import DependentChange
from runner.generate.files import File
from runner.generate.kinds import (
    check,
    column,
    compat,
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
    sync,
    trigger,
)
from runner.generate.kinds.look import move, move_back
from runner.generate.kinds.same import At
from runner.generate.locks import brief, locked
from runner.generate.model import Obstacle, TableChange
from runner.generate.statement import BRIEFLY, Paragraph, Statement, alter, lock, plain, undone
from runner.generate.unit import Unit
from runner.postgres.locks import LockMode
from runner.quoting import Name, quote_ident, quote_name

# What only changes its name: kind, old name, new name.
Rename = tuple[str, str, str]


VIEW_FIRST = "A client locks the view before its table, and so does this."


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


def expand(
    t: TableChange,
    before: TableChange,
    dependents: Iterable[DependentChange],
    after: Sequence[File],
) -> File:
    """The new contract beside the old one, which keeps the table.

    Args:
        t: the table.
        before: the table as it is until the switch.
        dependents: what stands on its converted columns.
        after: the files that must have run.
    """
    old = t.old.name
    columns = ", ".join(f"{c.name} {c.new_type}" for c in before.columns)
    adds = f"adds {columns}, with their CHECKs as NOT VALID; " if columns else ""
    triggers = sync.expand(t, before) if columns else []
    added = _added(t, before, dependents, called=before, triggers=triggers)
    gone = sync.expand_back(before) if t.columns else []
    taken = [[*gone, new_view.drop(t)], *undone(added)]
    return File(
        unlike=f"expand {t.new}",
        folder="online",
        phase="expand",
        subject=t.stem,
        title=f"Give {old} its new contract beside the old one.",
        does=f"{adds}shows them under {_called(t)} in a view with the same owner and grants"
        + ("; a trigger keeps both sides of each row equal" if columns else "")
        + f"; {old} keeps its name and its columns",
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
            *new_view.expand(t),
        ],
        rollback=[
            [BRIEFLY],
            [
                _locked(t, t.apart, VIEW_FIRST),
                same.require(t, At.EXPANDED, secured=True),
                *settings.carry_grants(t.old, t.apart, t.renamed.items()),
            ],
            *taken,
            new_view.close_schema(t),
            *_settled(t),
        ],
        back=f"Takes the new contract of {old} away again: instant, loses nothing.",
        after=after,
    )


def _added(
    t: TableChange,
    before: TableChange,
    dependents: Iterable[DependentChange],
    *,
    called: TableChange,
    triggers: Sequence[Paragraph] = (),
) -> list[Paragraph]:
    """The new columns of a table that is as it is until the switch, and what guards them."""
    clauses, gone = check.expand(before, called), check.expand_back(before)
    if not before.columns:
        undo = plain(alter(before.new, gone))
        return [[Statement(alter(before.new, clauses), undo=tuple(undo))]] if clauses else []
    return [
        *column.expand(before, clauses, gone, check.note(before)),
        check.comments(before, before.new, built=True),
        sync.sides(before),
        *triggers,
        *trigger.expand(t, dependents),
    ]


def expand_and_switch(
    t: TableChange,
    before: TableChange,
    dependents: Iterable[DependentChange],
    after: Sequence[File],
) -> File:
    """The new contract gets the table at once; a view keeps the old one.

    Args:
        t: the table.
        before: the table as it is until its columns have their new names.
        dependents: what stands on its converted columns.
        after: the files that must have run.
    """
    old, table = t.old.name, t.switched
    columns = ", ".join(f"{c.name} {c.new_type}" for c in t.columns)
    adds = f"adds {columns}, with their CHECKs as NOT VALID; " if columns else ""
    added = _added(t, before, dependents, called=table)
    return File(
        unlike=f"expand {t.new}",
        folder="online",
        phase="expand",
        subject=t.stem,
        title=f"Give the table {old} to the new contract, and the old one a view.",
        does=f"{adds}gives the table {_called(t)}"
        + (
            " and the old columns another one; a trigger keeps both sides of each row equal"
            * bool(columns)
        )
        + f"; {old} lives on in a view that counts its uses. Until enforce is done the new columns "
        "are not filled, so no new release may run",
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
            *_to_new(t),
            *(sync.expand_and_switch(table) if t.columns else []),
        ],
        rollback=[
            [BRIEFLY],
            _locked_again(t, At.EXPANDED),
            sync.expand_back(table) if t.columns else [],
            *_to_old(t),
            *undone(added),
            new_view.close_schema(t),
            *_settled(t),
        ],
        back=f"Gives the table back to the old contract as {old}, and takes the new one away: "
        "instant, loses nothing.",
        after=after,
    )


def _to_new(t: TableChange) -> list[Paragraph]:
    """The table gets its place, its name and its columns, and the old contract its view."""
    table = t.switched
    pairs = [(c.old_name, c.name) for c in t.columns]
    if t.at_expand:
        pairs = [(new, old) for old, new in pairs]
    return [
        [*move(t), *column.rename(table)],
        *(column.switch(table) if t.columns else []),
        settings.copy_grants(t.apart, t.apart, pairs),
        *compat.expand(t),
    ]


def _locked_again(t: TableChange, at: At) -> Paragraph:
    """The view of the old contract goes, if the table is as it was left."""
    return [
        _locked(t, t.old, VIEW_FIRST),
        same.require(t, at, secured=True),
        *settings.carry_grants(t.apart, t.apart, [(c.old_name, c.name) for c in t.columns]),
        *settings.carry_grants(t.apart, t.old, compat.pairs(t, back=True)),
        *compat.drop(t),
    ]


def _to_old(t: TableChange) -> list[Paragraph]:
    """The table gets its old place, its old name and its old columns."""
    table = t.switched
    return [
        *(column.switch_back(table) if t.columns else []),
        [*column.rename(table, back=True), *move_back(t, switched=False)],
    ]


def switch(t: TableChange, before: TableChange, after: Sequence[File]) -> File:
    """The table goes to the new contract; a view keeps the old one.

    Args:
        t: the table.
        before: the table as it was until then.
        after: the files that must have run.
    """
    old, table = t.old.name, t.switched
    said = t.apart if t.keeps_name else t.new.name
    triggers = sync.triggers(table, t.sync_switched, replace=True) if t.columns else []
    triggers_back = sync.triggers(before, t.sync, replace=True) if t.columns else []
    return File(
        unlike=f"switch {t.new}",
        folder="online/switch",
        phase="switch",
        subject=t.stem,
        title=f"Give the table {old} to the new contract.",
        does=f"drops the view {said} and gives the table its {'place' if t.keeps_name else 'name'} "
        "and its columns; the old name and the old columns live on in a view that counts its uses",
        held=brief(t),
        cost="no rewrite, no scan",
        undo="instant, loses nothing",
        body=[
            [BRIEFLY],
            [
                _locked(t, t.apart, VIEW_FIRST),
                same.require(t, At.ENFORCED),
                *same.require_alike(t, At.ENFORCED),
                *settings.carry_grants(t.old, t.old, [(c.build_name, c.name) for c in t.columns]),
                *settings.carry_grants(t.old, t.apart, new_view.pairs(t, back=True)),
                new_view.drop(t),
            ],
            *_to_new(t),
            *triggers,
        ],
        rollback=[
            [BRIEFLY],
            _locked_again(t, At.SWITCHED),
            *_to_old(t),
            settings.copy_grants(t.old, t.old, [(c.build_name, c.name) for c in t.columns]),
            *new_view.expand(t),
            *triggers_back,
        ],
        back=f"Gives the table back to the old contract as {old}: instant, loses nothing.",
        after=after,
    )


def _called(t: TableChange) -> str:
    """What the new contract is called, in the words of a header."""
    return (
        f"its name in the schema {t.apart.schema}" if t.keeps_name else f"the new name {t.new.name}"
    )


def _locked(t: TableChange, view: Name, note: str) -> Statement:
    said = f"{t.apart if t.keeps_name else t.new.name} and {t.old.name}"
    if t.is_partitioned:
        said += " with its partitions"
    return Statement(
        f"LOCK TABLE {quote_name(view)} IN ACCESS EXCLUSIVE MODE;",
        locks=(lock(LockMode.ACCESS_EXCLUSIVE, t.apart, t.old, said=said),),
        note=note,
    )


def _lock_table(t: TableChange, name: Name) -> Statement:
    return Statement(
        f"LOCK TABLE {quote_name(name)} IN ACCESS EXCLUSIVE MODE;", locks=(locked(t, name),)
    )


def _settled(t: TableChange) -> list[Paragraph]:
    crowded = not_null.crowded(t)
    settled = not_null.old_names(t, t.old, crowded) if crowded else []
    if settled:
        why = "the table keeps its own" if t.keeps_name else "it is cut at 63 bytes"
        note = f"Both sides wanted one name for their NOT NULL constraints, as {why}."
        settled[0] = Statement(settled[0].sql, note=note)
    return [settled]


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
        folder="online/contract",
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
            *column.rename(t, back=True),
            *old_names(t, [*sequences, *contract_renames(t)], staying),
            *column.rename(t),
        ],
        *(old_side.columns_again(u, t) if t.columns else []),
    ]
