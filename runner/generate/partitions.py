"""The partitions of a table: what each names itself, and what keeps it from going along.

A partition keeps its name: it is no part of the contract.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

from runner.catalog import Catalog, Relation
from runner.generate.attached import index_changes
from runner.generate.model import ColumnChange, Obstacle, Partition, TableChange
from runner.quoting import Name, quote_name

_BEFORE = "Drop it before, and make it again for the new contract afterwards."


def partitions_of(
    root: Relation,
    changes: Sequence[ColumnChange],
    catalog: Catalog,
    taken: Mapping[str, set[str]],
) -> tuple[Partition, ...]:
    """The partitions of a table at all levels, the deepest first.

    Args:
        root: the table.
        changes: its columns that are converted.
        catalog: what knows the partitions; those of schemas that were not read are left out.
        taken: by schema, the names of its relations and indexes; those of new ones are added.
    """
    if root.kind != "p":
        return ()
    referring: dict[Name, list[str]] = defaultdict(list)
    for relation in catalog.relations.values():
        for key in relation.constraints:
            if key.references is not None and key.parent is None:
                referring[key.references].append(f"{relation.qualified}.{key.name}")
    found: list[Partition] = []
    indexes = {root.qualified: {i.name: i.name for i in root.indexes}}
    keys = {root.qualified: {k.name: k.name for k in root.constraints if k.kind == "f"}}
    above = [root]
    while above:
        children = [(parent, child) for parent in above for child in catalog.children(parent)]
        for parent, child in children:
            its_indexes, its_keys = indexes[parent.qualified], keys[parent.qualified]
            indexes[child.qualified] = {
                i.name: its_indexes[i.parent] for i in child.indexes if i.parent in its_indexes
            }
            keys[child.qualified] = {
                k.name: its_keys[k.parent] for k in child.constraints if k.parent in its_keys
            }
            built = index_changes(child, child.qualified, changes, taken[child.schema])
            found.append(
                Partition(
                    relation=child,
                    indexes={
                        indexes[child.qualified][i.old_name]: i
                        for i in built
                        if i.old_name in indexes[child.qualified]
                    },
                    foreign_keys={old: name for name, old in keys[child.qualified].items()},
                    referred_by=tuple(sorted(referring[child.qualified])),
                )
            )
        above = [child for _, child in children]
    return tuple(reversed(found))


def partition_obstacles(change: TableChange, unit: Sequence[TableChange]) -> Iterator[Obstacle]:
    """What keeps a partitioned table from being converted unharmed.

    Args:
        change: a table; one that is not partitioned has none.
        unit: the tables that are converted with it.
    """
    relation, converted = change.relation, set(change.converted)
    table = relation.qualified
    if relation.kind != "p" or not converted:
        return
    for column in sorted(converted & change.partition_columns):
        yield Obstacle(
            f"{table}.{column}",
            "is in a partition key, which can be neither converted nor dropped",
            "Leave the column out of standard.toml, or partition the table by another one before.",
        )
    read = {quote_name(p.name) for p in change.partitions}
    for level in (relation, *(p.relation for p in change.partitions)):
        for name in level.children:
            if name not in read:
                yield Obstacle(
                    name,
                    f"is a partition of {table} in a schema that was not read",
                    "Move it into the schema of its table.",
                )
    for partition in change.partitions:
        yield from _own(partition, change)
    partitioned = {c.new for c in unit if c.relation.kind == "p"}
    for key in change.foreign_keys:
        if key.converted and key.references in partitioned:
            yield Obstacle(
                f"the foreign key {key.old_name} of {table}",
                "refers from a partitioned table to a "
                "partitioned one, and PostgreSQL before 18 can add it only under a lock that waits "
                "for a scan",
                "Use the window strategy.",
                online_only=True,
            )


def _own(partition: Partition, change: TableChange) -> Iterator[Obstacle]:
    """What a partition has that its table does not have."""
    relation, converted, name = partition.relation, set(change.converted), partition.name
    if relation.kind == "f":
        yield Obstacle(
            str(name),
            "is a foreign table: its rows are on another server, and cannot be converted",
            "Detach it before, and convert its rows where they are.",
        )
        return
    for key in partition.referred_by:
        yield Obstacle(
            f"the foreign key {key}",
            f"refers to {name}, which is a partition of {change.old}",
            f"Let it refer to {change.old}, or drop it before.",
        )
    for dependent in relation.dependents:
        if dependent.column in converted and dependent.kind != "trigger":
            yield Obstacle(
                dependent.description,
                f"uses {name}.{dependent.column}, which is to be converted",
                _BEFORE,
            )
    remade = converted | {c.name for c in change.moved}
    enabled = {t.name: t.enabled for t in change.relation.triggers}
    own = [
        *(f"policy {p.name}" for p in relation.policies),
        *(f"trigger {t.name}" for t in relation.triggers if t.name not in enabled),
        *(
            f"trigger {t.name} in another state"
            for t in relation.triggers
            if enabled.get(t.name, t.enabled) != t.enabled
        ),
        *(f"statistics {s.name}" for s in relation.statistics),
        *(
            f"constraint {k.name}"
            for k in relation.constraints
            if not k.inherited and k.kind in "cfx" and remade.intersection(k.columns)
        ),
        *(
            f"index {i.name}"
            for i in relation.indexes
            if i.parent is None and remade.intersection(i.columns)
        ),
        *(
            f"default of {c.name}"
            for c in relation.columns
            if c.name in remade and c.default != _default(change.relation, c.name)
        ),
    ]
    for thing in own:
        yield Obstacle(
            f"the partition {name}", f"has the {thing}, and {change.old} does not", _BEFORE
        )


def _default(relation: Relation, column: str) -> str | None:
    found = relation.column(column)
    return found.default if found else None
