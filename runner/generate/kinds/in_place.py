"""A table converted in place: one rewrite while nobody uses it, and one back."""

from __future__ import annotations

from collections.abc import Sequence

from runner.catalog import Constraint
from runner.generate.kinds import check, column, index, partition, publication, reversal, table
from runner.generate.kinds.look import rename
from runner.generate.kinds.not_null import not_null_columns
from runner.generate.model import IndexChange, TableChange
from runner.generate.statement import (
    BRIEFLY,
    Paragraph,
    Statement,
    alter,
    comment_on_constraint,
    lock,
    plain,
    setting,
    taken_back,
)
from runner.generate.wording.predicates import restate
from runner.postgres.locks import LockMode
from runner.quoting import quote_ident, quote_literal, quote_name

SETTINGS = [
    BRIEFLY,
    Statement(
        setting("maintenance_work_mem", "1GB").sql,
        note="The window is as long as its index builds, and these are the faster the less they "
        "spill to disk.",
    ),
    setting("max_parallel_maintenance_workers", 4),
]


def _old_checks(t: TableChange) -> list[Constraint]:
    """The old contract's CHECKs of converted columns."""
    return [
        k
        for k in t.relation.constraints
        if k.kind == "c" and not t.converted.keys().isdisjoint(k.columns)
    ]


def _clauses(t: TableChange) -> list[str]:
    return [
        *(f"DROP CONSTRAINT {quote_ident(k.name)}" for k in _old_checks(t)),
        *column.window(t, to_new=True),
        *(f"ADD CONSTRAINT {quote_ident(n)} CHECK ({condition})" for n, condition in check.own(t)),
        *(k.clause(k.name) for k in t.checks),
    ]


def _clauses_back(t: TableChange) -> list[str]:
    unproven = t.relation.unproven_checks
    return [
        *(f"DROP CONSTRAINT {quote_ident(name)}" for name, _ in check.own(t)),
        *(f"DROP CONSTRAINT {quote_ident(k.name)}" for k in t.checks),
        *column.window(t, to_new=False),
        *(
            f"ADD CONSTRAINT {quote_ident(k.name)} {restate(k.definition)}"
            for k in _old_checks(t)
            if k not in unproven
        ),
    ]


def _respelled(t: TableChange) -> list[IndexChange]:
    """The indexes that an ALTER TABLE cannot convert.

    Their definition holds values, or they are a partitioned table's: PostgreSQL would make
    those of the partitions anew under names that it thinks of.
    """
    if t.is_partitioned:
        return t.converted_indexes
    return [i for i in t.indexes if i.new_method != i.method]


def _built_again(t: TableChange, *, new: bool) -> list[Statement]:
    found: list[Statement] = []
    for i in _respelled(t):
        if i.constraint and t.is_partitioned:
            found += partition.constraints(t, i, partition.old_name)
            found += plain(
                f"ALTER TABLE {quote_name(t.old)} ADD CONSTRAINT {quote_ident(i.old_name)}"
                f" {partition.definition(t, i)};"
            )
        else:
            found += partition.indexes(t, i, partition.old_name, new=new)
            found.append(index.create(i, i.old_name, t.old, new=new))
        found += partition.settings(t, i, partition.old_name, t.old)
    return found


def convert(t: TableChange, *, keep: bool = True) -> list[Paragraph]:
    """The table in its new contract.

    Args:
        t: the table.
        keep: whether the spellings that cannot be derived back are still to be kept.
    """
    found: list[Paragraph] = [publication.off(t, t.old)]
    if t.columns:
        if keep and t.keeps_spellings:
            found.append(reversal.window(t))
        note = f"One rewrite of {t.old.name}; every index is built once."
        if not check.are_proven(t):
            note += f"\n{check.NEVER_VALIDATED}"
        kept = (
            f"ALTER TABLE {quote_name(t.old)} ADD COLUMN {quote_ident(c.kept or '')} varchar;"
            for c in t.keeping
        )
        found.append(
            [
                *(index.drop(i, t.old) for i in _respelled(t)),
                *plain(*kept),
                Statement(alter(t.old, _clauses(t)), note=note),
                *_built_again(t, new=True),
            ]
        )
    elif clauses := _clauses(t):
        found.append(plain(alter(t.old, clauses)))
    renamed = [*check.comments(t, t.old, built=False), *rename(t.old, t.new), *column.rename(t)]
    forgetting = reversal.forgetting(t)
    if not keep:
        forgetting += reversal.forget_deleted(t)
    published = publication.on(t, t.new, t.renamed, new=True)
    names = table.new_names(t, table.window_renames(t))
    return [*found, renamed, names, published, forgetting]


def convert_back(t: TableChange) -> list[Paragraph]:
    """The table in its old contract, byte for byte."""
    sequences = [("sequence", old, new) for old, new in t.sequences]
    names = table.old_names(t, [*sequences, *table.window_renames(t)], not_null_columns(t))
    found: list[Paragraph] = [
        [*reversal.tell_forgotten(t), *reversal.forgetting_no_more(t)],
        publication.off(t, t.new),
        taken_back(column.rename(t)),
        names,
        rename(t.new, t.old),
    ]
    clauses = _clauses_back(t)
    if not t.columns:
        return [*found, plain(alter(t.old, clauses)) if clauses else []]
    unproven = [k for k in t.relation.unproven_checks if k not in _old_checks(t)]
    on = quote_name(t.old)
    comments = [
        comment_on_constraint(t.old, k.name, k.comment)
        for k in _old_checks(t)
        if k not in t.relation.unproven_checks and k.comment is not None
    ]
    rewrite = Statement(
        alter(t.old, clauses), note=f"One rewrite of {t.old.name}; every index is built once."
    )
    return [
        *found,
        [
            *plain(*(f"ALTER TABLE {on} DROP CONSTRAINT {quote_ident(k.name)};" for k in unproven)),
            *(index.drop(i, t.old) for i in _respelled(t)),
            rewrite,
            *_built_again(t, new=False),
            *plain(
                *(f"ALTER TABLE {on} DROP COLUMN {quote_ident(c.kept or '')};" for c in t.keeping)
            ),
            *comments,
        ],
        publication.on(t, t.old, {}, new=False),
    ]


def spell_back(t: TableChange) -> list[Paragraph]:
    """Its old spellings; all tables have their old names by then, which what is set aside names."""
    if not t.columns:
        return []
    on = quote_literal(quote_name(t.old))
    return [
        plain(f"CALL trueup.silence_triggers({on});") if _is_seen(t) else [],
        reversal.restore(t, t.old),
    ]


def _is_seen(t: TableChange) -> bool:
    """Whether something of the service would see, or stop, that old spellings are put back."""
    relation = t.relation
    # Each partition has an identity of its own, whatever its table's is.
    with_rows = [p.relation for p in t.partitions if p.is_leaf] or [relation]
    identified = all(
        publication.identifies_rows(r) and (r.replica_identity == "f" or not _respelled(t))
        for r in with_rows
    )
    return (
        bool(relation.triggers)
        or relation.force_row_security
        or not identified
        or any(k.kind == "f" and not k.validated for k in relation.constraints)
    )


def put_back(t: TableChange) -> list[Statement]:
    """What was set aside while old spellings were put back, made again."""
    if not (t.columns and _is_seen(t)):
        return []
    return plain(f"CALL trueup.put_back({quote_literal(quote_name(t.old))});")


def unproven_checks(t: TableChange) -> list[Paragraph]:
    """The old contract's CHECKs that were never validated.

    No row that breaks one can be updated, so they are added again once the old spellings are back.
    """
    return [
        [
            Statement(
                f"ALTER TABLE {quote_name(t.old)} ADD CONSTRAINT {quote_ident(k.name)}"
                f" {restate(k.definition)};"
            ),
            *([comment_on_constraint(t.old, k.name, k.comment)] if k.comment is not None else []),
        ]
        for k in t.relation.unproven_checks
    ]


def analyzed(tables: Sequence[TableChange]) -> list[Statement]:
    """Statistics of the new columns; those of the others outlive a rewrite."""
    return [
        Statement(
            f"ANALYZE {quote_name(t.new)}{_sampled(t)};",
            locks=(lock(LockMode.SHARE_UPDATE_EXCLUSIVE, t.new),),
        )
        for t in tables
        if t.columns
    ]


def _sampled(t: TableChange) -> str:
    """The columns, unless the whole table is to be sampled: what is of several, or computed."""
    if t.names_operators or t.relation.statistics:
        return ""
    return f" ({', '.join(quote_ident(c.name) for c in t.columns)})"
