"""A foreign key: converted together with what it refers to, added NOT VALID and then proven."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from runner.generate.files import File
from runner.generate.kinds import table as tables
from runner.generate.model import ForeignKeyChange
from runner.generate.statement import lock
from runner.generate.templates import template
from runner.generate.unit import Reference, UnitView
from runner.generate.view import TableView
from runner.postgres.locks import LockMode
from runner.quoting import Name


def enforce(t: TableView, k: ForeignKeyChange, after: Sequence[File]) -> Iterator[File]:
    """The files that add a foreign key to the new columns; the last one ends it."""
    if t.partitions.is_partitioned:
        yield from _partitioned(t, k, after)
    else:
        yield from _add(t, k, t.new, after)


def _add(t: TableView, k: ForeignKeyChange, table: Name, after: Sequence[File]) -> Iterator[File]:
    """The two files that add a foreign key to a table, or to one partition of it."""
    name = k.build_name
    file = File(
        unlike=f"fkey {name} {table}",
        folder="online",
        phase="enforce",
        subject=t.prefix + (name if table == k.table else f"{table.name}_{name}"),
        title=f"Let the new columns of {table.name} reference {k.references.name}.",
        does=f"adds what {k.old_name} is for the old columns, as NOT VALID",
        cost="no scan",
        undo="instant",
        body=template(
            "enforce_fkey.sql",
            [lock(LockMode.SHARE_ROW_EXCLUSIVE, table, k.references)],
            t=t,
            k=k,
            table=table,
        ),
        rollback=template("enforce_fkey.rollback.sql", t=t, k=k, table=table),
        back="Drops the foreign key: instant.",
        after=after,
    )
    yield file
    if k.validated:
        yield prove(t, k, table, name, [file])


def prove(
    t: TableView,
    k: ForeignKeyChange,
    table: Name,
    name: str,
    after: Sequence[File],
    *,
    phase: str = "enforce",
    folder: str = "online",
) -> File:
    """The proof of a foreign key for the rows that were there before it."""
    return File(
        unlike=f"validate {name} {table}",
        folder=folder,
        phase=phase,
        subject=f"{t.prefix}{name if table == k.table else f'{table.name}_{name}'}_validate",
        title=f"Prove {name} for every row that was there before.",
        does="validates the foreign key",
        cost=f"reads {table.name} once",
        undo="nothing to undo: the foreign key goes with the file that made it",
        body=template(
            "enforce_fkey_validate.sql",
            [
                lock(LockMode.SHARE_UPDATE_EXCLUSIVE, table),
                lock(LockMode.ROW_SHARE, k.references),
            ],
            k=k,
            table=table,
            name=name,
        ),
        back="no-op: the foreign key goes with the file that made it.",
        after=after,
    )


def _partitioned(t: TableView, k: ForeignKeyChange, after: Sequence[File]) -> Iterator[File]:
    """A foreign key from a partitioned table: proven on each partition, then taken in."""
    name, previous = k.build_name, after
    for table in t.partitions.leaves:
        for file in _add(t, k, table, previous):
            yield file
            previous = [file]
    yield File(
        unlike=f"validate {name} {k.table}",
        folder="online",
        phase="enforce",
        subject=t.prefix + name,
        title=f"Make the foreign keys of the partitions the {name} of {t.new.name}.",
        does=f"adds {name} to {t.new.name}, which takes in those of its partitions",
        held=tables.held(t),
        cost="no scan, except of partitions that came later",
        undo="instant",
        body=template(
            "enforce_partitions_fkey.sql",
            [
                lock(LockMode.SHARE_ROW_EXCLUSIVE, k.references),
                tables.exclusive(t, t.new, LockMode.SHARE_ROW_EXCLUSIVE),
            ],
            t=t,
            k=k,
        ),
        rollback=template("enforce_partitions_fkey.rollback.sql", t=t, k=k),
        back="Drops the foreign key, and with it those of the partitions: instant.",
        after=previous,
    )


def contract(
    u: UnitView,
    keys: Sequence[ForeignKeyChange],
    references: Sequence[Reference],
    place: int,
    after: Sequence[File],
) -> File:
    """The end of the old foreign keys, or the spelling of references before they come back."""
    names = " and ".join(dict.fromkeys(k.old_name for k in keys))
    locked = list(dict.fromkeys(n.name for k in keys for n in (k.table, k.references)))
    title = f"Drop the foreign keys of the old columns: {names}."
    does = "drops them; the foreign keys of the new columns stay"
    undo = "adds and proves them again: reads the tables under the lock"
    back = "Adds the foreign keys of the old columns again: reads the tables."
    if not keys:
        children = ", ".join(dict.fromkeys(child.old.name for child, *_ in references))
        title = "Before the old foreign keys come back, their columns must be spelled alike."
        does = "changes nothing; its rollback gives the references their old spelling"
        undo = f"writes the rows of {children} whose references are spelled unusually"
        back = f"Spells the references of {children} as the keys that they refer to."
    return File(
        unlike=f"fkeys {u.tables[0].new}" + (f" {place}" if place else ""),
        folder="online/contract",
        phase="contract",
        subject=f"{u.tables[0].stem}_old_fkeys" + (f"_{place}" if place else ""),
        title=title,
        does=does,
        cost="none",
        undo=undo,
        body=template(
            "contract_fkeys.sql",
            [lock(LockMode.ACCESS_EXCLUSIVE, said=", ".join(locked))] if locked else [],
            u=u,
            keys=keys,
            references=references,
        ),
        rollback=template("contract_fkeys.rollback.sql", u=u, keys=keys, references=references),
        back=back,
        after=after,
    )
