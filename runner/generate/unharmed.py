"""What hangs on a table's columns and could not come through unharmed, object by object."""

from __future__ import annotations

from collections.abc import Iterator

from runner.catalog import Constraint, Relation
from runner.generate.model import Obstacle, TableChange
from runner.quoting import quote_ident, quote_name, shorten

_AGAIN = "Drop it before, and make it again for the new contract afterwards."
_WINDOW = "Convert the table by the window strategy."


def in_the_way(change: TableChange, relation: Relation) -> Iterator[Obstacle]:
    """What a converted table holds that cannot be brought through.

    Args:
        change: the table and its changes.
        relation: the table as the catalog has it.
    """
    if not change.columns:
        return
    yield from _names(change, relation)
    yield from _constraints(change, relation)
    yield from _generated(change, relation)
    yield from _published(change, relation)
    uuids = {c.name for c in change.columns if c.new_type == "uuid"}
    for index in relation.indexes:
        if special := uuids.intersection(index.not_for_uuid):
            yield Obstacle(
                f"index {change.old.schema}.{index.name}",
                f"indexes {', '.join(sorted(special))} by an operator class or a collation that "
                f"uuid has not: {index.method}",
                _AGAIN,
            )


def _names(change: TableChange, relation: Relation) -> Iterator[Obstacle]:
    columns = {c.name for c in relation.columns}
    sides = [(c.old_name, f"the old side of {c.name}") for c in change.columns]
    sides += [(shorten(c.name, "__new"), f"the new side of {c.name}") for c in change.columns]
    sides += [
        (shorten(c.name, "__moved"), f"{c.name} while it is made again") for c in change.moved
    ]
    for name, what in sides:
        if name in columns:
            yield Obstacle(
                f"{change.old}.{name}",
                f"has the name that {what} gets",
                "Rename it before, or convert the table by the window strategy.",
                online_only=True,
            )
    constraints = {k.name: k for k in relation.constraints}
    for column in change.columns:
        filled = shorten(f"{change.new.name}_{column.name}", "_filled")
        made = [column.check_name, filled if column.not_null else None]
        for name in (n for n in made if n is not None and n in constraints):
            goes = constraints[name].kind == "c" and not change.converted.keys().isdisjoint(
                constraints[name].columns
            )
            yield Obstacle(
                f"constraint {name} on {change.old}",
                f"has the name that a CHECK of {column.name} gets",
                "Rename it before, or name the CHECK in standard.toml.",
                online_only=goes or name == filled,
            )
    for column_name, name, _ in change.integer_checks:
        if name in constraints:
            yield Obstacle(
                f"constraint {name} on {change.old}",
                f"has the name that the CHECK of {column_name} gets",
                "Rename it before, or name the CHECK in standard.toml.",
            )


def _is_exclusion(constraint: Constraint) -> bool:
    """Whether it keeps rows from overlapping: an exclusion constraint, or a key over time."""
    return constraint.kind == "x" or (
        constraint.kind in "pu" and " WITHOUT OVERLAPS)" in constraint.definition
    )


def _constraints(change: TableChange, relation: Relation) -> Iterator[Obstacle]:
    for constraint in relation.constraints:
        name = f"constraint {constraint.name} on {change.old}"
        if _is_exclusion(constraint) and change.converted.keys() & set(constraint.columns):
            yield Obstacle(
                name,
                "keeps converted columns from overlapping, and PostgreSQL cannot build such an "
                "index beside the old one while the table is in use",
                _WINDOW,
                online_only=True,
            )
        elif constraint.kind == "n" and not constraint.validated:
            yield Obstacle(
                name,
                "was never validated: a row that breaks it could not be written",
                f"Before: ALTER TABLE {quote_name(change.old)} VALIDATE CONSTRAINT"
                f" {quote_ident(constraint.name)};",
            )


def _generated(change: TableChange, relation: Relation) -> Iterator[Obstacle]:
    places = {c.name: place for place, c in enumerate(relation.columns)}
    moved = {c.name for c in change.moved}
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
                "Drop the column before, and add it again for the new contract afterwards.",
            )
        elif later := [c for c in column.uses if c in moved and places[c] > places[column.name]]:
            yield Obstacle(
                name,
                f"is generated from {', '.join(later)}, which stands behind it and behind a "
                "converted column: rolling back contract could not make it again",
                _WINDOW,
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
                _WINDOW,
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


def _published(change: TableChange, relation: Relation) -> Iterator[Obstacle]:
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
