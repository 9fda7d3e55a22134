"""What hangs on a table's columns and could not come through unharmed, object by object."""

from __future__ import annotations

from collections.abc import Iterator

from runner.catalog import Relation
from runner.generate.kinds import exclusion, generated, publication
from runner.generate.model import Obstacle, TableChange
from runner.quoting import quote_ident, quote_name, shorten

_AGAIN = "Drop it before, and make it again for the new contract afterwards."


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
    yield from generated.obstacles(change, relation)
    yield from publication.obstacles(change, relation)
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


def _constraints(change: TableChange, relation: Relation) -> Iterator[Obstacle]:
    for constraint in relation.constraints:
        yield from exclusion.obstacles(change, constraint)
        if constraint.kind == "n" and not constraint.validated:
            yield Obstacle(
                f"constraint {constraint.name} on {change.old}",
                "was never validated: a row that breaks it could not be written",
                f"Before: ALTER TABLE {quote_name(change.old)} VALIDATE CONSTRAINT"
                f" {quote_ident(constraint.name)};",
            )
