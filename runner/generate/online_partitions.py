"""What the online strategy does partition by partition, before it does it to the table."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from runner.generate.model import ForeignKeyChange, IndexChange
from runner.generate.render import Draft
from runner.generate.steps import briefly, build_index, foreign_key
from runner.generate.view import TableView


def partitioned_index(t: TableView, i: IndexChange, after: Sequence[str]) -> Iterator[Draft]:
    """An index of a partitioned table: built on each partition, then taken in by the table's."""
    previous = list(after)
    for table, part in t.partitions.leaves_of(i):
        key = f"index {part.build_name} {table}"
        yield build_index(t, table, part, part.build_name, previous, key=key)
        previous = [key]
    what = "constraint" if i.constraint == "UNIQUE" else "index"
    yield Draft(
        key=f"index {i.build_name} {t.new}",
        folder="online",
        phase="enforce",
        subject=t.prefix + i.build_name,
        template="enforce_partitions_index.sql",
        title=f"Make the indexes of the partitions the {what} {i.build_name} of {t.new.name}.",
        header={
            "does": f"adds the {what} {i.build_name} to {t.new.name}, which takes in those of its "
            "partitions; refuses a large partition that has none",
            "locks": f"{'ACCESS EXCLUSIVE' if what == 'constraint' else 'SHARE'} on "
            f"{briefly(t, t.new.name)}",
            "cost": "builds nothing, except on small partitions that came later",
            "undo": "instant; drops the indexes of the partitions too, so roll their files back "
            "with it",
        },
        rollback_title=f"Drops the {what}, and with it those of the partitions: instant.",
        after=previous,
        context={"t": t, "i": i},
    )


def key_indexes(t: TableView, folder: str, after: Sequence[str]) -> Iterator[Draft]:
    """The indexes that become the partitions' primary keys.

    The unique index of a partitioned table cannot become its primary key, nor let its partitions'
    indexes go, so while both contracts live there is one, and these are built when it goes.
    """
    previous = list(after)
    for i in t.converted_indexes:
        if i.constraint != "PRIMARY KEY":
            continue
        for table, part in t.partitions.leaves_of(i):
            name = t.partitions.key_name(part)
            key = f"index {name} {table}"
            yield build_index(
                t, table, part, name, previous, key=key, phase="contract", folder=folder
            )
            previous = [key]


def partitioned_foreign_key(
    t: TableView, k: ForeignKeyChange, after: Sequence[str]
) -> Iterator[Draft]:
    """A foreign key from a partitioned table: proven on each partition, then taken in."""
    name, previous = k.build_name, list(after)
    for table in t.partitions.leaves:
        for draft in foreign_key(
            t, k, table, previous, f"fkey {name} {table}", f"validate {name} {table}"
        ):
            yield draft
            previous = [draft.key]
    yield Draft(
        key=f"validate {name} {k.table}",
        folder="online",
        phase="enforce",
        subject=t.prefix + name,
        template="enforce_partitions_fkey.sql",
        title=f"Make the foreign keys of the partitions the {name} of {t.new.name}.",
        header={
            "does": f"adds {name} to {t.new.name}, which takes in those of its partitions",
            "locks": f"SHARE ROW EXCLUSIVE on {k.references.name}, {briefly(t, t.new.name)}",
            "cost": "no scan, except of partitions that came later",
            "undo": "instant",
        },
        rollback_title="Drops the foreign key, and with it those of the partitions: instant.",
        after=previous,
        context={"t": t, "k": k},
    )
