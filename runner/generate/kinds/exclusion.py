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
            f"Before: drop it, and nothing keeps such rows out; add it again after contract, which "
            f"locks {change.new} while its index is built. Or leave "
            f"{', '.join(c for c in constraint.columns if c in change.converted)} out of "
            "standard.toml.",
            online_only=True,
        )


def _is_exclusion(constraint: Constraint) -> bool:
    """Whether it keeps rows from overlapping: an exclusion constraint, or a key over time."""
    return constraint.kind == "x" or (
        constraint.kind in "pu" and " WITHOUT OVERLAPS)" in constraint.definition
    )
