"""The names of objects: they follow the name of their table."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

from runner.catalog import Catalog, Relation
from runner.quoting import Name, shorten


def follow(name: str, old: str, new: str) -> str:
    """Give a name that holds the table's old name the new one: `models_pkey` -> `model_pkey`."""
    return shorten(re.sub(rf"(?<![^_]){re.escape(old)}(?![^_])", lambda _: new, name, count=1))


def names_taken(catalog: Catalog) -> dict[str, set[str]]:
    """By schema, the names that no further table or index there can have."""
    taken: dict[str, set[str]] = defaultdict(set)
    for name, relation in catalog.relations.items():
        taken[name.schema] |= {name.name, *(i.name for i in relation.indexes)}
    for name in catalog.types:
        taken[name.schema].add(name.name)
    return taken


@dataclass(frozen=True, slots=True)
class NamesInUse:
    """What each table's new names are held against.

    Args:
        relations: all relations.
        sequences: the sequences by the column that owns them.
    """

    relations: frozenset[Name]
    sequences: Mapping[str, tuple[Relation, ...]]

    @staticmethod
    def of(catalog: Catalog) -> NamesInUse:
        """Gather them."""
        relations = catalog.relations.values()
        sequences: dict[str, tuple[Relation, ...]] = defaultdict(tuple)
        for relation in relations:
            if relation.kind == "S" and relation.owned_by:
                sequences[relation.owned_by] += (relation,)
        return NamesInUse(frozenset(catalog.relations), sequences)
