"""A generated column: it follows while no converted column is in it."""

from __future__ import annotations

from collections.abc import Iterator

from runner.catalog import Relation
from runner.generate.model import Obstacle, TableChange


def obstacles(change: TableChange, relation: Relation) -> Iterator[Obstacle]:
    """What of a table's generated columns cannot be brought through.

    Args:
        change: the table and its changes.
        relation: the table as the catalog has it.
    """
    for column in relation.columns:
        name = f"{change.old}.{column.name}"
        if column.generated and column.name in change.converted:
            yield Obstacle(
                name,
                "is generated: what computes it would have to be written anew",
                "Leave it out of standard.toml, or drop it before and add it again afterwards.",
            )
        elif sources := [c for c in column.uses if c in change.converted]:
            yield Obstacle(
                name,
                f"is generated from {', '.join(sources)}, which would change under it",
                "Drop the column first, and let a view compute it; or add it again after contract, "
                "which rewrites the table.",
            )
