"""An index: built anew on converted columns beside the old one, or only renamed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from runner.generate.files import File
from runner.generate.kinds import table as tables
from runner.generate.model import IndexChange
from runner.generate.statement import lock
from runner.generate.templates import template
from runner.generate.view import TableView
from runner.postgres.locks import LockMode
from runner.quoting import Name


def enforce(t: TableView, i: IndexChange, after: Sequence[File]) -> Iterator[File]:
    """The build of an index on the new columns; the last file is the one that ends it."""
    if t.partitions.is_partitioned:
        yield from _partitioned(t, i, after)
    else:
        yield build(t, t.new, i, i.build_name, after)


def build(
    t: TableView,
    table: Name,
    i: IndexChange,
    name: str,
    after: Sequence[File],
    *,
    phase: str = "enforce",
    folder: str = "online",
) -> File:
    """The build of an index while reads and writes go on."""
    return File(
        unlike=f"index {name} {table}",
        folder=folder,
        phase=phase,
        subject=t.prefix + name,
        title=f"Build the index {name} on the new columns of {table.name}.",
        does=f"builds what {i.old_name} is for the old columns",
        cost=f"reads {table.name} twice and waits for transactions that are older; if it "
        f"fails it leaves an invalid index: DROP INDEX {name}, then run it again",
        undo="drops the index; reads and writes go on",
        body=template(
            "enforce_index.sql",
            [lock(LockMode.SHARE_UPDATE_EXCLUSIVE, table)],
            alone=True,
            table=table,
            i=i,
            name=name,
        ),
        rollback=template("enforce_index.rollback.sql", table=table, name=name),
        back="Drops the index; reads and writes go on.",
        after=after,
    )


def _partitioned(t: TableView, i: IndexChange, after: Sequence[File]) -> Iterator[File]:
    """An index of a partitioned table: built on each partition, then taken in by the table's."""
    previous = after
    for table, part in t.partitions.leaves_of(i):
        file = build(t, table, part, part.build_name, previous)
        yield file
        previous = [file]
    what = "constraint" if i.constraint == "UNIQUE" else "index"
    mode = LockMode.ACCESS_EXCLUSIVE if what == "constraint" else LockMode.SHARE
    yield File(
        unlike=f"index {i.build_name} {t.new}",
        folder="online",
        phase="enforce",
        subject=t.prefix + i.build_name,
        title=f"Make the indexes of the partitions the {what} {i.build_name} of {t.new.name}.",
        does=f"adds the {what} {i.build_name} to {t.new.name}, which takes in those of its "
        "partitions; refuses a large partition that has none",
        held=tables.held(t),
        cost="builds nothing, except on small partitions that came later",
        undo="instant; drops the indexes of the partitions too, so roll their files back with it",
        body=template("enforce_partitions_index.sql", [tables.exclusive(t, t.new, mode)], t=t, i=i),
        rollback=template("enforce_partitions_index.rollback.sql", t=t, i=i),
        back=f"Drops the {what}, and with it those of the partitions: instant.",
        after=previous,
    )
