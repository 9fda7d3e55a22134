"""A publication: it follows the table; what it names or publishes may be in the way."""

from __future__ import annotations

from collections.abc import Iterator

from runner.catalog import Relation
from runner.generate.model import Obstacle, TableChange
from runner.quoting import quote_ident, quote_name


def obstacles(change: TableChange, relation: Relation) -> Iterator[Obstacle]:
    """What of a table's publications cannot be brought through.

    Args:
        change: the table and its changes.
        relation: the table as the catalog has it.
    """
    yield from _publishes_updates(change, relation)
    moved = {c.name for c in change.moved}
    for publication in relation.publications:
        name = f"publication {quote_ident(publication.name)} of {change.old}"
        table = quote_name(change.old)
        hint = (
            f"Before: ALTER PUBLICATION {quote_ident(publication.name)} DROP TABLE {table}; add it "
            "again afterwards."
        )
        if named := [c for c in publication.uses if c in change.converted]:
            yield Obstacle(
                name,
                f"names {', '.join(named)}, which PostgreSQL lets nobody convert or drop meanwhile",
                hint,
            )
        elif named := [c for c in publication.uses if c in moved]:
            yield Obstacle(
                name,
                f"names {', '.join(named)}, which stands behind a converted column: rolling back "
                "contract could not make it again",
                hint,
                online_only=True,
            )


def _publishes_updates(change: TableChange, relation: Relation) -> Iterator[Obstacle]:
    levels = (relation, *(p.relation for p in change.partitions))
    if not any(level.publishes_updates for level in levels):
        return
    for level in levels:
        if level.kind == "p":
            continue
        identifies = _identifies_rows(level)
        if level.hides_generated and (level.replica_identity == "f" or not identifies):
            yield Obstacle(
                str(level.qualified),
                "publishes its updates and has neither a key that identifies its rows nor a "
                "replica identity without generated columns, so PostgreSQL refuses to update it",
                "Before: take it out of the publication; add it again afterwards.",
            )
        elif level.hides_generated:
            yield Obstacle(
                str(level.qualified),
                "publishes its updates and has generated columns: rolling back contract makes the "
                "key again, and what could identify a row until then would hold them",
                "Convert the table by the window strategy.",
                online_only=True,
            )
        elif not identifies:
            yield Obstacle(
                str(level.qualified),
                "publishes its updates and has no replica identity, so PostgreSQL would refuse the "
                "backfill",
                f"Before: ALTER TABLE {quote_name(level.qualified)} REPLICA IDENTITY FULL;",
                online_only=True,
            )


def _identifies_rows(relation: Relation) -> bool:
    """Whether a subscriber could be told which of its rows was changed."""
    key = relation.primary_key
    return relation.replica_identity in ("i", "f") or (
        relation.replica_identity == "d"
        and key is not None
        # PostgreSQL takes no key that may be broken for a while.
        and " DEFERRABLE" not in key.definition
    )
