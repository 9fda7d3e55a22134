"""A foreign key: converted together with what it refers to, added NOT VALID and then proven."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from runner.catalog import Constraint, Relation
from runner.errors import StandardError
from runner.generate.files import File
from runner.generate.kinds import partition
from runner.generate.kinds.naming import follow
from runner.generate.locks import brief, locked
from runner.generate.model import ColumnChange, ForeignKeyChange, Parent, TableChange
from runner.generate.statement import (
    BRIEFLY,
    Lock,
    Paragraph,
    Statement,
    comment_on_constraint,
    lock,
    plain,
    setting,
)
from runner.generate.unit import Unit, listed
from runner.postgres.locks import LockMode
from runner.quoting import Name, quote_ident, quote_literal, quote_name, shorten, unused
from runner.standard.model import Standard

_NEVER_VALIDATED = (
    "trueup: ignore not-valid-never-validated because the old foreign key was never validated "
    "either"
)


def change(
    relation: Relation,
    new_names: Mapping[Name, Name],
    columns: Mapping[Name, tuple[ColumnChange, ...]],
) -> Iterable[ForeignKeyChange]:
    """The foreign keys of a table: converted together with what they refer to, or renamed."""
    own = {c.name: c for c in columns[relation.qualified]}
    new = new_names[relation.qualified]
    taken = {k.name for k in relation.constraints}
    for key in relation.constraints:
        if key.kind != "f" or key.references is None or key.parent is not None:
            continue
        there = {c.name: c for c in columns.get(key.references, ())}
        pairs = list(zip(key.columns, key.referenced_columns, strict=True))
        for here, far in pairs:
            if (here in own) != (far in there) or (
                here in own and own[here].new_type != there[far].new_type
            ):
                changed = (
                    f"{key.references}.{far}" if far in there else f"{relation.qualified}.{here}"
                )
                raise StandardError(
                    f"{relation.qualified}.{here} references {key.references}.{far}, but only "
                    f"{changed} is converted",
                    hint="Name both columns in standard.toml: a key is converted with all its "
                    "references, as one unit.",
                )
        name = follow(key.name, relation.name, new.name)
        if name in taken:
            name = key.name
        taken.add(name)
        yield ForeignKeyChange(
            table=new,
            old_name=key.name,
            build_name=unused(name, "__new", taken) if name == key.name else name,
            name=name,
            columns=key.columns,
            references=new_names.get(key.references, key.references),
            referenced_columns=key.referenced_columns,
            options=_options(key),
            converted=any(here in own for here, _ in pairs),
            comment=key.comment,
            validated=key.validated,
            temporal=f"PERIOD {quote_ident(key.columns[-1])})" in key.definition,
        )


def _options(key: Constraint) -> str:
    """What stands behind `REFERENCES table(columns)` in a foreign key's definition."""
    tail = key.definition[key.definition.index(" REFERENCES ") :]
    match = re.match(
        r""" REFERENCES (?:[^"(]|"(?:[^"]|"")*")+\((?:[^")]|"(?:[^"]|"")*")+\)""", tail
    )
    assert match, key.definition
    return tail[match.end() :]


def with_parent(
    converted: ColumnChange,
    relation: Relation,
    keys: Iterable[ForeignKeyChange],
    old_names: Mapping[Name, Name],
    columns: Mapping[Name, tuple[ColumnChange, ...]],
) -> ColumnChange:
    """A reference's old spelling is its parent's, not one that is derived."""
    nullable = {c.name for c in relation.columns if not c.not_null}
    for key in sorted(keys, key=lambda k: (not k.validated, len(k.columns))):
        if key.converted and converted.name in key.columns:
            # A key of which one column is null does not look at the others.
            is_partial = len(key.columns) > 1 and not nullable.isdisjoint(key.columns)
            pairs = tuple(zip(key.columns, key.referenced_columns, strict=True))
            far = dict(pairs)[converted.name]
            parent = next(c for c in columns[old_names[key.references]] if c.name == far)
            return replace(
                converted,
                parent=Parent(
                    key.references,
                    parent.name,
                    parent.old_name,
                    pairs,
                    Name("trueup", shorten(_stem(key.references), "_sides")),
                    is_sure=key.validated and (not is_partial or "MATCH FULL" in key.options),
                ),
            )
    return converted


def _stem(table: Name) -> str:
    return Standard.own_prefix(table.schema) + table.name


def add(
    k: ForeignKeyChange,
    table: Name,
    name: str,
    references: Name,
    *,
    if_exists: bool = False,
    not_valid: bool = False,
) -> Statement:
    """The foreign key on the columns that have its names now.

    Args:
        k: the foreign key.
        table: its table, or one partition of it.
        name: its name.
        references: what it refers to, by the name that this has now.
        if_exists: whether the table may be gone.
        not_valid: whether it is left to a later statement to prove it.
    """
    unproven = " NOT VALID" if not_valid and k.validated else ""
    return Statement(
        f"ALTER TABLE {'IF EXISTS ' if if_exists else ''}{quote_name(table)}\n"
        f"    ADD CONSTRAINT {quote_ident(name)}\n"
        f"    FOREIGN KEY ({k.listed(k.columns)})\n"
        f"    REFERENCES {quote_name(references)}"
        f" ({k.listed(k.referenced_columns)}){k.options}{unproven};",
        undo=(drop(table, name),),
        note="" if k.validated else _NEVER_VALIDATED,
    )


def drop(table: Name, name: str) -> Statement:
    """The end of a foreign key."""
    return Statement(f"ALTER TABLE {quote_name(table)} DROP CONSTRAINT {quote_ident(name)};")


def comment(k: ForeignKeyChange, table: Name, name: str) -> list[Statement]:
    """Its comment, if it has one."""
    return [] if k.comment is None else [comment_on_constraint(table, name, k.comment)]


def with_comment(
    k: ForeignKeyChange, table: Name, name: str, references: Name, *, not_valid: bool = False
) -> list[Statement]:
    """The foreign key at once, with its comment; the arguments are those of add."""
    made = add(k, table, name, references, not_valid=not_valid)
    return [made, *comment(k, table, name)]


def _rename(table: Name, old: str, new: str) -> Statement:
    return Statement(
        f"ALTER TABLE {quote_name(table)} RENAME CONSTRAINT {quote_ident(old)}"
        f" TO {quote_ident(new)};"
    )


def enforce(t: TableChange, k: ForeignKeyChange, after: Sequence[File]) -> Iterator[File]:
    """The files that add a foreign key to the new columns; the last one ends it."""
    if not t.is_partitioned:
        yield from _add(t, k, t.new, after)
        return
    for table in t.with_rows:
        for file in _add(t, k, table, after):
            yield file
            after = [file]
    yield _take_in(t, k, after)


def _add(t: TableChange, k: ForeignKeyChange, table: Name, after: Sequence[File]) -> Iterator[File]:
    """The two files that add a foreign key to a table, or to one partition of it."""
    name, is_whole = k.build_name, table == k.table
    made = add(k, table, name, k.references, if_exists=not is_whole, not_valid=True)
    gone = replace(
        drop(table, name)
        if is_whole
        else Statement(
            f"ALTER TABLE IF EXISTS {quote_name(table)} DROP CONSTRAINT IF EXISTS"
            f" {quote_ident(name)};"
        ),
        locks=(lock(LockMode.ACCESS_EXCLUSIVE, table, k.references),),
    )
    locks = (lock(LockMode.SHARE_ROW_EXCLUSIVE, table, k.references),)
    undo = (locked_with([k]), gone) if is_whole else (gone,)
    statements = [
        *([locked_with([k], mode=LockMode.SHARE_ROW_EXCLUSIVE, locks=locks)] if is_whole else []),
        Statement(made.sql, undo=undo, locks=locks, note=made.note),
        *(comment(k, table, name) if is_whole else ()),
    ]
    file = File(
        unlike=f"fkey {name} {table}",
        folder="online",
        phase="enforce",
        subject=t.prefix + (name if is_whole else f"{table.name}_{name}"),
        title=f"Let the new columns of {table.name} reference {k.references.name}.",
        does=f"adds what {k.old_name} is for the old columns, as NOT VALID",
        cost="no scan",
        undo="instant",
        body=[[BRIEFLY], statements],
        back="Drops the foreign key: instant.",
        after=after,
    )
    yield file
    if k.validated:
        yield prove(t, k, table, name, [file])


# For a lock that a vacuum may hold, which gives way within a second or two.
PATIENTLY = [setting("lock_timeout", "5s")]


def validate(k: ForeignKeyChange, table: Name, name: str) -> Statement:
    """The proof of a foreign key of a table, or of one partition of it."""
    return Statement(
        f"ALTER TABLE {'' if table == k.table else 'IF EXISTS '}{quote_name(table)}"
        f" VALIDATE CONSTRAINT {quote_ident(name)};",
        locks=(
            lock(LockMode.SHARE_UPDATE_EXCLUSIVE, table),
            lock(LockMode.ROW_SHARE, k.references),
        ),
    )


def prove(
    t: TableChange,
    k: ForeignKeyChange,
    table: Name,
    name: str,
    after: Sequence[File],
    *,
    phase: str = "enforce",
    folder: str = "online",
) -> File:
    """The proof of a foreign key for the rows that were there before it."""
    is_whole = table == k.table
    return File(
        unlike=f"validate {name} {table}",
        folder=folder,
        phase=phase,
        subject=f"{t.prefix}{name if is_whole else f'{table.name}_{name}'}_validate",
        title=f"Prove {name} for every row that was there before.",
        does="validates the foreign key",
        cost=f"reads {table.name} once",
        undo="nothing to undo: the foreign key goes with the file that made it",
        body=[PATIENTLY, [validate(k, table, name)]],
        back="no-op: the foreign key goes with the file that made it.",
        after=after,
    )


def _take_in(t: TableChange, k: ForeignKeyChange, after: Sequence[File]) -> File:
    """A partitioned table's own, which takes in what is proven on each partition."""
    name = k.build_name
    made = add(k, k.table, name, k.references)
    mode = LockMode.SHARE_ROW_EXCLUSIVE
    take = Statement(
        made.sql,
        undo=made.undo,
        locks=(lock(mode, k.references), locked(t, t.new, mode)),
        note="trueup: ignore foreign-key-not-valid because it takes in what is proven for each "
        "partition",
    )
    return File(
        unlike=f"validate {name} {k.table}",
        folder="online",
        phase="enforce",
        subject=t.prefix + name,
        title=f"Make the foreign keys of the partitions the {name} of {t.new.name}.",
        does=f"adds {name} to {t.new.name}, which takes in those of its partitions",
        held=brief(t),
        cost="no scan, except of partitions that came later",
        undo="instant",
        body=[[BRIEFLY], [take, *comment(k, k.table, name)]],
        back="Drops the foreign key, and with it those of the partitions: instant.",
        after=after,
    )


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
                folder="online/contract",
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
            folder="online/contract",
            phase="contract",
            subject=f"{stem}_fkeys_proof{number}",
            title="Before the old foreign keys go: on the way back they are proven here.",
            does="changes nothing; its rollback validates the foreign keys of both contracts",
            cost="none",
            undo=f"reads {tables} once for each foreign key; reads and writes go on",
            body=[[setting("lock_timeout", "5s")]],
            rollback=[[setting("lock_timeout", "5s")], [s for k in keys for s in _validated(u, k)]],
            back=f"Proves the foreign keys of {tables}: reads and writes go on.",
            after=found[-1:] or after,
        )
    )
    names = listed(k.old_name for k in whole)
    found.append(
        File(
            unlike=f"fkeys {u.tables[0].new}" + (f" {place}" if place else ""),
            folder="online/contract",
            phase="contract",
            subject=f"{stem}_old_fkeys{number}",
            title=f"Drop the foreign keys of the old columns: {names}."
            if whole
            else "Before the old keys go: on the way back the partitions' foreign keys come here.",
            does="drops them; the foreign keys of the new columns stay"
            if whole
            else "changes nothing; its rollback adds the partitions' old foreign keys",
            cost="none",
            undo="adds them as NOT VALID: instant",
            body=[[BRIEFLY], _drop_old(u, whole)],
            rollback=_add_old(u, keys),
            back=f"Holds the old columns of {tables} to their foreign keys again: instant.",
            after=found[-1:],
        )
    )
    return found


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


def locked_with(
    keys: Iterable[ForeignKeyChange],
    *tables: Name,
    mode: LockMode = LockMode.ACCESS_EXCLUSIVE,
    locks: tuple[Lock, ...] = (),
) -> Statement:
    """The lock on all tables of foreign keys: some clients lock a parent first, some its child."""
    keys = list(keys)
    names = dict.fromkeys([*(k.table for k in keys), *(k.references for k in keys), *tables])
    quoted = [quote_name(name) for name in names]
    if len(quoted) == 1:
        return Statement(f"LOCK TABLE {quoted[0]} IN {mode} MODE;", locks=locks)
    values = ", ".join(map(quote_literal, [mode.value, *quoted]))
    return Statement(f"CALL trueup.lock_tables({values});", locks=locks)


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
            note="" if k.validated else _NEVER_VALIDATED,
        )
        for table, _ in _parts(t, k)
    ]


def _old(
    u: Unit, k: ForeignKeyChange, table: Name, name: str, *, proven: bool = False
) -> Statement:
    columns = ", ".join(map(quote_ident, u.old_columns(k.table, k.columns)))
    there = ", ".join(map(quote_ident, u.old_columns(k.references, k.referenced_columns)))
    unproven = " NOT VALID" if k.validated and not proven else ""
    return Statement(
        f"ALTER TABLE {'' if table == k.table else 'IF EXISTS '}{quote_name(table)}\n"
        f"    ADD CONSTRAINT {quote_ident(name)}\n"
        f"    FOREIGN KEY ({columns})\n"
        f"    REFERENCES {quote_name(k.references)} ({there}){u.old_options(k)}{unproven};",
        note="" if k.validated else _NEVER_VALIDATED,
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


def check_at_once() -> list[Statement]:
    """The end of all deferred checks."""
    return [
        Statement(
            "SET CONSTRAINTS ALL IMMEDIATE;",
            note="No check may wait for the end of the transaction: the tables are altered before.",
        )
    ]
