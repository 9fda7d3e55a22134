"""An exclusion constraint, or a key over time: only a rewrite converts its columns."""

from __future__ import annotations

from collections.abc import Iterator

from runner.catalog import Constraint
from runner.generate.model import Obstacle, TableChange


def obstacles(change: TableChange, constraint: Constraint) -> Iterator[Obstacle]:
    """Whether a constraint keeps a table from being converted while it is in use.

    Args:
        change: the table and its changes.
        constraint: any constraint of the table.
    """
    if _is_exclusion(constraint) and change.converted.keys() & set(constraint.columns):
        yield Obstacle(
            f"constraint {constraint.name} on {change.old}",
            "keeps converted columns from overlapping, and PostgreSQL cannot build such an "
            "index beside the old one while the table is in use",
            "Convert the table by the window strategy.",
            online_only=True,
        )


def _is_exclusion(constraint: Constraint) -> bool:
    """Whether it keeps rows from overlapping: an exclusion constraint, or a key over time."""
    return constraint.kind == "x" or (
        constraint.kind in "pu" and " WITHOUT OVERLAPS)" in constraint.definition
    )
