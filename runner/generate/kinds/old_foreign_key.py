"""The foreign keys of the old columns: contract drops them, its rollback makes them again."""

from __future__ import annotations

from collections.abc import Sequence

from runner.generate.files import FOR_ROLLBACK, File
from runner.generate.kinds import partition
from runner.generate.kinds.foreign_key import (
    NEVER_VALIDATED,
    add,
    adding,
    check_at_once,
    comment,
    drop,
    locked_with,
    with_comment,
)
from runner.generate.model import ForeignKeyChange, TableChange
from runner.generate.statement import BRIEFLY, Paragraph, Statement, lock, plain, setting
from runner.generate.unit import Unit, listed
from runner.postgres.locks import LockMode
from runner.quoting import Name, quote_ident, quote_name


def contract(
    u: Unit, keys: Sequence[ForeignKeyChange], place: int, after: Sequence[File]
) -> list[File]:
    """The end of the old foreign keys; their rollbacks add them, prove them, and take them in."""
    stem, number = u.tables[0].stem, f"_{place}" if place else ""
    whole = [k for k in keys if not u.table(k.table).is_partitioned]
    in_parts = [k for k in keys if u.table(k.table).is_partitioned]
    tables = listed(k.table.name for k in keys)
    found: list[File] = []
    if in_parts:
        names = listed(k.old_name for k in in_parts)
        found.append(
            File(
                unlike=f"fkeys of partitions {u.tables[0].new} {place}",
                phase="contract",
                subject=f"{stem}_old_fkeys_of_partitions{number}",
                title=f"Drop the foreign keys of the old columns of partitions: {names}.",
                does="drops them; the foreign keys of the new columns stay",
                cost="none",
                undo="adds them again, which takes in those of the partitions: no scan",
                body=[[BRIEFLY], _drop_old(u, in_parts)],
                rollback=[
                    [BRIEFLY, *(check_at_once() if u.defers else [])],
                    *(_take_in_again(u, k) for k in in_parts),
                ],
                back="Makes the foreign keys of the partitions those of their tables: no scan.",
                after=after,
            )
        )
    found.append(
        File(
            unlike=f"prove fkeys {u.tables[0].new} {place}",
            phase="contract",
            subject=f"{stem}_fkeys_proof{number}",
            title=f"{FOR_ROLLBACK}prove the foreign keys of both contracts.",
            does="changes nothing; its rollback validates the foreign keys of both contracts",
            cost="none",
            undo=f"reads {tables} once for each foreign key; reads and writes go on",
            body=[],
            rollback=[[setting("lock_timeout", "5s")], [s for k in keys for s in _validated(u, k)]],
            back=f"Proves the foreign keys of {tables}: reads and writes go on.",
            after=found[-1:] or after,
        )
    )
    names = listed(k.old_name for k in whole)
    found.append(
        File(
            unlike=f"fkeys {u.tables[0].new}" + (f" {place}" if place else ""),
            phase="contract",
            subject=f"{stem}_old_fkeys{number}",
            title=f"Drop the foreign keys of the old columns: {names}."
            if whole
            else f"{FOR_ROLLBACK}add the foreign keys of the old columns of partitions.",
            does="drops them; the foreign keys of the new columns stay"
            if whole
            else "changes nothing; its rollback adds the partitions' old foreign keys",
            cost="none",
            undo="adds them as NOT VALID: instant",
            body=[[BRIEFLY], _drop_old(u, whole)] if whole else [],
            rollback=_add_old(u, keys),
            back=f"Holds the old columns of {tables} to their foreign keys again: instant.",
            after=found[-1:],
        )
    )
    return found


def window_back(u: Unit, k: ForeignKeyChange) -> list[Paragraph]:
    """The old foreign key once a window has been taken back, under its name on each partition."""
    made = with_comment(k, u.old_name(k.table), k.old_name, u.old_name(k.references))
    return [made, [*partition.rename_foreign_keys(u.table(k.table), k.old_name, k.old_name, None)]]


def _drop_old(u: Unit, keys: Sequence[ForeignKeyChange]) -> list[Statement]:
    names = dict.fromkeys(n for k in keys for n in (k.table, k.references))
    locks = tuple(lock(LockMode.ACCESS_EXCLUSIVE, name) for name in names)
    found = [locked_with(keys, locks=locks)] if keys else []
    found += [Statement(drop(k.table, k.old_name).sql, locks=locks) for k in keys]
    for k in keys:
        if k.build_name != k.name:
            found += partition.rename_foreign_keys(
                u.table(k.table), k.old_name, k.build_name, k.name
            )
            found.append(_rename(k.table, k.build_name, k.name))
    return found


def _rename(table: Name, old: str, new: str) -> Statement:
    return Statement(
        f"ALTER TABLE {quote_name(table)} RENAME CONSTRAINT {quote_ident(old)}"
        f" TO {quote_ident(new)};"
    )


def _parts(t: TableChange, k: ForeignKeyChange) -> list[tuple[Name, str]]:
    """Each partition that holds rows, with its own name of a foreign key."""
    return [
        (p.name, p.foreign_keys[k.old_name])
        for p in reversed(t.partitions)
        if p.is_leaf and k.old_name in p.foreign_keys
    ]


def add_unproven(u: Unit, k: ForeignKeyChange) -> list[Statement]:
    """A foreign key of the new columns, for rows to come; on each partition of its table."""
    t = u.table(k.table)
    if not t.is_partitioned:
        made = add(k, k.table, k.name, k.references, not_valid=True)
        return [Statement(made.sql, note=made.note), *comment(k, k.table, k.name)]
    return [
        Statement(
            add(k, table, k.name, k.references, if_exists=True, not_valid=True).sql,
            note="" if k.validated else NEVER_VALIDATED,
        )
        for table, _ in _parts(t, k)
    ]


def _old(
    u: Unit, k: ForeignKeyChange, table: Name, name: str, *, proven: bool = False
) -> Statement:
    columns = ", ".join(map(quote_ident, u.old_columns(k.table, k.columns)))
    there = ", ".join(map(quote_ident, u.old_columns(k.references, k.referenced_columns)))
    return adding(
        k,
        table,
        name,
        f"({columns})",
        f"{quote_name(k.references)} ({there}){u.old_options(k)}",
        if_exists=table != k.table,
        not_valid=not proven,
    )


def _add_old(u: Unit, keys: Sequence[ForeignKeyChange]) -> list[Paragraph]:
    renamed: list[Statement] = []
    added: list[Statement] = []
    for k in keys:
        t = u.table(k.table)
        if t.is_partitioned:
            renamed += [s for table, own in _parts(t, k) for s in _make_room(k, table, own)]
            added += [_old(u, k, table, name) for table, name in _parts(t, k)]
            continue
        if k.build_name != k.name:
            renamed.append(_rename(k.table, k.name, k.build_name))
        added += [_old(u, k, k.table, k.old_name), *comment(k, k.table, k.old_name)]
    first = [locked_with(keys, mode=LockMode.SHARE_ROW_EXCLUSIVE)] if keys else []
    return [[BRIEFLY, *(check_at_once() if u.defers else [])], [*first, *renamed], added]


def _make_room(k: ForeignKeyChange, table: Name, own: str) -> list[Statement]:
    """Another name for the new foreign key of a partition, where it has the old one's."""
    if own != k.name:
        return []
    return plain(
        f"ALTER TABLE IF EXISTS {quote_name(table)} RENAME CONSTRAINT {quote_ident(k.name)}"
        f" TO {quote_ident(k.build_name)};"
    )


def _validated(u: Unit, k: ForeignKeyChange) -> list[Statement]:
    if not k.validated:
        return []
    t = u.table(k.table)
    places = (
        [(table, own, k.build_name if own == k.name else k.name) for table, own in _parts(t, k)]
        if t.is_partitioned
        else [(k.table, k.old_name, k.build_name)]
    )
    return plain(
        *(
            f"ALTER TABLE {'' if table == k.table else 'IF EXISTS '}{quote_name(table)}\n"
            f"    VALIDATE CONSTRAINT {quote_ident(old)},\n"
            f"    VALIDATE CONSTRAINT {quote_ident(new)};"
            for table, old, new in places
        )
    )


def _take_in_again(u: Unit, k: ForeignKeyChange) -> Paragraph:
    """A partitioned table's own foreign keys of both contracts, from those of its partitions."""
    t = u.table(k.table)
    note = (
        "trueup: ignore foreign-key-not-valid because it takes in what is proven for each partition"
    )
    return [
        Statement(add(k, k.table, k.build_name, k.references).sql, note=note),
        *comment(k, k.table, k.build_name),
        *partition.rename_foreign_keys(
            t, k.old_name, k.name, k.build_name, others=False, but_own=True
        ),
        Statement(_old(u, k, k.table, k.old_name, proven=True).sql, note=note),
        *comment(k, k.table, k.old_name),
        *partition.rename_foreign_keys(t, k.old_name, k.old_name, None, leaves=False),
    ]
