"""A sequence of a column: its name follows its table's."""

from __future__ import annotations

from collections.abc import Iterable

from runner.catalog import Relation
from runner.generate.kinds.naming import NamesInUse, follow
from runner.quoting import Name, quote_name


def change(relation: Relation, new: Name, in_use: NamesInUse) -> Iterable[tuple[str, str]]:
    """The sequences of the table's columns that are named after the table."""
    for column in relation.columns:
        owner = f"{quote_name(relation.qualified)}.{column.name}"
        for sequence in in_use.sequences.get(owner, ()):
            name = follow(sequence.name, relation.name, new.name)
            if name != sequence.name and Name(sequence.schema, name) not in in_use.relations:
                yield sequence.name, name
