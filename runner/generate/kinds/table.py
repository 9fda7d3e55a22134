"""A table: it gets its new name, and what only follows that name."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from runner.generate.files import File
from runner.generate.kinds import (
    check,
    column,
    compat,
    exclusion,
    generated,
    index,
    key,
    not_null,
    partition,
    publication,
    sync,
)
from runner.generate.kinds.look import rename
from runner.generate.kinds.naming import follow
from runner.generate.kinds.remade import contract_back, keeps_order
from runner.generate.locks import brief, locked
from runner.generate.model import Obstacle, TableChange
from runner.generate.statement import BRIEFLY, Paragraph, Statement, lock, plain
from runner.generate.unit import Unit
from runner.postgres.locks import LockMode
from runner.quoting import Name, quote_ident, quote_name

# What only changes its name: kind, old name, new name.
Rename = tuple[str, str, str]


KEEPS_ITS_NAME = "keeps its name, and one name cannot show both contracts"


def obstacles(t: TableChange) -> Iterator[Obstacle]:
    """What a table holds that cannot be brought through unharmed.

    Args:
        t: the table and its changes.
    """
    relation = t.relation
    table = relation.qualified
    keeps_name = t.old == t.new
    if keeps_name:
        yield Obstacle(
            str(table),
            KEEPS_ITS_NAME,
            "Give it another name in standard.toml for the online strategy.",
            online_only=True,
        )
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
            "Leave its paragraph out of standard.toml, or partition it by declaration before.",
        )
    # What else keeps it from being converted online is no news then.
    yield from (o for o in of_columns(t) if not (keeps_name and o.online_only))
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


def expand(t: TableChange, after: Sequence[File]) -> File:
    """The new contract beside the old one."""
    old, new = t.old.name, t.new.name
    columns = ", ".join(f"{c.name} {c.new_type}" for c in t.columns)
    adds = f"adds {columns}; " if columns else ""
    return File(
        unlike=f"expand {t.new}",
        folder="online",
        phase="expand",
        subject=t.stem,
        title=f"Give {old} its new contract beside the old one.",
        does=f"renames {old} to {new}; {adds}keeps the old name alive as a view with the "
        "same owner and grants"
        + ("; a trigger keeps both sides of each row equal" if columns else ""),
        held=brief(t),
        cost="no rewrite, no scan",
        undo="instant, loses nothing",
        body=_expand(t),
        rollback=_expand_back(t),
        back=f"Takes the new contract of {old} away again: instant, loses nothing.",
        after=after,
    )


def _expand(t: TableChange) -> list[Paragraph]:
    first = [Statement(s.sql, locks=(locked(t, t.old),)) for s in rename(t.old, t.new)]
    columns = column.expand(t) if t.columns else []
    view = compat.expand(t)
    return [
        [BRIEFLY],
        first,
        column.rename(t),
        *columns,
        *view,
        *(sync.expand(t) if t.columns else []),
    ]


def _expand_back(t: TableChange) -> list[Paragraph]:
    taken = [*(sync.drop(t) if t.columns else []), *compat.drop(t)]
    names = [column.rename(t, back=True), rename(t.new, t.old)]
    crowded = not_null.crowded(t)
    settled = not_null.old_names(t, t.old, crowded) if crowded else []
    if settled:
        note = (
            "Both sides wanted one name for their NOT NULL constraints, as it is cut at 63 bytes."
        )
        settled[0] = Statement(settled[0].sql, note=note)
    return [[BRIEFLY], taken, *(column.expand_back(t) if t.columns else []), *names, settled]


def _renames(t: TableChange) -> list[Rename]:
    """The constraints that only change their name."""
    checks = [
        (k.name, follow(k.name, t.old.name, t.new.name))
        for k in t.relation.constraints
        if k.kind == "c" and t.converted.keys().isdisjoint(k.columns)
    ]
    foreign_keys = [(k.old_name, k.name) for k in t.foreign_keys if not k.converted]
    taken = {name for name, _ in check.own(t)} | {k.name for k in t.relation.constraints}
    taken |= {k.name for k in t.checks}
    return [
        ("constraint", old, new)
        for old, new in checks + foreign_keys
        if old != new and new not in taken
    ]


def contract_renames(t: TableChange) -> list[Rename]:
    """What only changes its name when the old contract goes."""
    indexes = [("index", i.old_name, i.name) for i in t.indexes if not i.converted]
    checks = [("constraint", k.build_name, k.name) for k in t.checks]
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
    resting = [lock(LockMode.ACCESS_EXCLUSIVE, k.table) for k in key.resting_on(t)]
    place = (
        "in their old order"
        if keeps_order(t)
        else "behind the others, as a partition key's column cannot be made again"
    )
    return File(
        unlike=f"finish {t.new}",
        folder="online/contract",
        phase="contract",
        subject=t.stem,
        title=f"Leave {new} with its new contract alone.",
        does="drops the trigger and the old columns, makes the unique index the primary "
        "key, gives indexes and constraints their names under the standard",
        held=brief(t),
        cost="no rewrite, no scan",
        undo=f"makes the old columns again {place}: one rewrite of the table "
        "under ACCESS EXCLUSIVE, and the foreign keys to it are proven again, so plan a "
        "window",
        body=[[Statement(BRIEFLY.sql, locks=(*resting, locked(t, t.new)))], *_contract(t)],
        rollback=contract_back(t, u, old_names(t, contract_renames(t), _staying(t))),
        back=f"Makes the old side of {new} again: one rewrite under the lock.",
        after=after,
    )


def _contract(t: TableChange) -> list[Paragraph]:
    found: list[Paragraph] = []
    if resting := key.resting_on(t):
        tables = dict.fromkeys([*(k.table for k in resting), t.new])
        listed = ", ".join(map(quote_name, tables))
        found.append(
            [
                Statement(
                    f"LOCK TABLE {listed}\n    IN ACCESS EXCLUSIVE MODE;",
                    note="In the order of most clients: a reference is checked after its row is "
                    "written.",
                )
            ]
        )
    found.append(sync.drop(t) if t.columns else [])
    found += key.contract(t)
    found.append([column.drop_old(t)] if t.columns else [])
    plain_indexes = [i for i in t.converted_indexes if not i.constraint]
    names = new_names(t, contract_renames(t))
    names_of = [
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
        *(s for i in t.converted_indexes for s in index.settings(i, i.name, t.new)),
        *(s for i in t.converted_indexes for s in partition.settings(t, i, partition.new_name)),
    ]
    return [*found, names, names_of]


def _staying(t: TableChange) -> list[str]:
    """The NOT NULL columns that the rollback of contract leaves in their place."""
    remade = {*(c.name for c in t.moved), *t.converted}
    return [name for name in not_null.not_null_columns(t) if name not in remade]
