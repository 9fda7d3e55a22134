"""A foreign key: converted together with what it refers to, added NOT VALID and then proven."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from runner.catalog import Constraint, Relation
from runner.errors import StandardError
from runner.generate.column_change import ColumnChange, Parent
from runner.generate.files import File
from runner.generate.kinds.naming import follow
from runner.generate.locks import brief, locked
from runner.generate.model import ForeignKeyChange, TableChange
from runner.generate.statement import (
    BRIEFLY,
    Lock,
    Statement,
    comment_on_constraint,
    lock,
    setting,
)
from runner.postgres.locks import LockMode
from runner.quoting import Name, quote_ident, quote_literal, quote_name, shorten, unused
from runner.standard.model import Standard

NEVER_VALIDATED = (
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
    return adding(
        k,
        table,
        name,
        f"({k.listed(k.columns)})",
        f"{quote_name(references)} ({k.listed(k.referenced_columns)}){k.options}",
        if_exists=if_exists,
        not_valid=not_valid,
    )


def adding(
    k: ForeignKeyChange,
    table: Name,
    name: str,
    columns: str,
    references: str,
    *,
    if_exists: bool,
    not_valid: bool,
) -> Statement:
    """The foreign key with these columns and what follows REFERENCES; see `add` for the others."""
    unproven = " NOT VALID" if not_valid and k.validated else ""
    return Statement(
        f"ALTER TABLE {'IF EXISTS ' if if_exists else ''}{quote_name(table)}\n"
        f"    ADD CONSTRAINT {quote_ident(name)}\n"
        f"    FOREIGN KEY {columns}\n"
        f"    REFERENCES {references}{unproven};",
        undo=(drop(table, name),),
        note="" if k.validated else NEVER_VALIDATED,
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
) -> File:
    """The proof of a foreign key for the rows that were there before it."""
    is_whole = table == k.table
    return File(
        unlike=f"validate {name} {table}",
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


def check_at_once() -> list[Statement]:
    """The end of all deferred checks."""
    return [
        Statement(
            "SET CONSTRAINTS ALL IMMEDIATE;",
            note="No check may wait for the end of the transaction: the tables are altered before.",
        )
    ]
