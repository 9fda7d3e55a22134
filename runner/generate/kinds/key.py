"""A primary key or a unique constraint: its index is promoted when the old one goes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from runner.generate.files import File
from runner.generate.kinds import foreign_key, index, partition
from runner.generate.model import ForeignKeyChange, IndexChange, TableChange
from runner.generate.statement import Paragraph, Statement, alter
from runner.quoting import Name, quote_ident, quote_name


def resting_on(t: TableChange) -> list[ForeignKeyChange]:
    """The converted foreign keys that refer to the new primary key of a partitioned table."""
    if not t.is_partitioned:
        return []
    return [
        k
        for k in t.touching
        if k.converted and k.references == t.new and {*k.referenced_columns} == {*t.key}
    ]


def indexes(t: TableChange, after: Sequence[File]) -> Iterator[File]:
    """The indexes that become the partitions' primary keys.

    The unique index of a partitioned table cannot become its primary key, nor let its partitions'
    indexes go, so while both contracts live there is one, and these are built when it goes.
    """
    for i in t.converted_indexes:
        if i.constraint != "PRIMARY KEY":
            continue
        for table, part in partition.leaves(t, i):
            name = partition.key_name(part)
            file = index.build(t, table, part, name, after, phase="contract")
            yield file
            after = [file]


def contract(t: TableChange) -> list[Paragraph]:
    """The new keys in place of the old ones."""
    keys = [i for i in t.converted_indexes if i.constraint]
    settings = [
        s
        for i in t.converted_indexes
        for s in partition.settings(
            t, i, partition.new_name if i.constraint else partition.build_name, t.new
        )
    ]
    first = [foreign_key.locked_with(resting_on(t))] if resting_on(t) else []
    if t.is_partitioned:
        return [first, *(p for i in keys for p in _of_partitions(t, i)), settings]
    promoted: list[Paragraph] = [
        [
            Statement(
                alter(
                    t.new,
                    [
                        f"DROP CONSTRAINT {quote_ident(i.old_name)}",
                        f"ADD CONSTRAINT {quote_ident(i.name)} {i.constraint} USING INDEX"
                        f" {quote_ident(i.build_name)}{i.deferral}",
                    ],
                )
            )
        ]
        for i in keys
    ]
    return [*promoted, settings] if promoted or settings else []


def _of_partitions(t: TableChange, i: IndexChange) -> list[Paragraph]:
    table = quote_name(t.new)
    drop = Statement(f"ALTER TABLE {table} DROP CONSTRAINT {quote_ident(i.old_name)};")
    if i.constraint != "PRIMARY KEY":
        renamed = [
            *partition.rename_indexes(t, i, partition.build_name, partition.new_name),
            *([index.rename(t.new, i.build_name, i.name)] if i.build_name != i.name else []),
        ]
        return [[drop, *renamed]]
    resting = resting_on(t)
    qualified = quote_name(Name(t.new.schema, i.build_name))
    lets_go = [foreign_key.drop(k.table, k.name) for k in resting]
    index_goes = Statement(
        f"DROP INDEX {qualified};",
        note="trueup: ignore drop-index because CONCURRENTLY does not work on a partitioned table",
    )
    lets_go.append(index_goes)
    lets_go[0] = Statement(
        lets_go[0].sql,
        note="A partitioned table's unique index cannot become its key, so what rests on it lets "
        "go." + (f"\n{lets_go[0].note}" if lets_go[0].note else ""),
    )
    added = Statement(
        f"ALTER TABLE {table} ADD CONSTRAINT {quote_ident(i.name)} {partition.definition(t, i)};",
        note="trueup: ignore add-primary-key because it takes in the keys of the partitions",
    )
    again = [
        s
        for k in resting
        for s in (
            foreign_key.add(k, k.table, k.name, k.references, not_valid=True),
            *foreign_key.comment(k, k.table, k.name),
        )
    ]
    return [
        [partition.require_built(t, i, partition.key_name)],
        [*lets_go, drop],
        list(partition.promote(t, i, partition.new_name, partition.key_name)),
        [added, *again],
    ]
