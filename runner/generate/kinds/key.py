"""A primary key or a unique constraint: its index is promoted when the old one goes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from runner.generate.files import File
from runner.generate.kinds import index
from runner.generate.view import TableView


def contract(t: TableView, folder: str, after: Sequence[File]) -> Iterator[File]:
    """The indexes that become the partitions' primary keys.

    The unique index of a partitioned table cannot become its primary key, nor let its partitions'
    indexes go, so while both contracts live there is one, and these are built when it goes.
    """
    previous = after
    for i in t.converted_indexes:
        if i.constraint != "PRIMARY KEY":
            continue
        for table, part in t.partitions.leaves_of(i):
            name = t.partitions.key_name(part)
            file = index.build(t, table, part, name, previous, phase="contract", folder=folder)
            yield file
            previous = [file]
