"""How many locks the window's one transaction takes, and how a larger unit is divided."""

from __future__ import annotations

from collections.abc import Sequence

from runner.generate.view import TableView, UnitView

# PostgreSQL promises max_locks_per_transaction * max_connections locks: 6,400 by default.
BEARABLE = 5_000
_BATCH = 1_000


def locks(unit: UnitView) -> int:
    """The locks that converting a unit in one transaction takes, a little overestimated.

    Measured on PostgreSQL 18: a rewrite makes and locks new files for the table, its indexes and
    its TOAST; dropping a foreign key locks the constraint and four triggers. Under plain yoyo each
    statement is a subtransaction, which is one lock more.
    """
    return sum(
        32 + 6 * len(t.indexes) + 3 * len(t.columns) + 9 * len(t.change.foreign_keys)
        for t in unit.tables
    )


def is_large(unit: UnitView) -> bool:
    """Whether one transaction of a server with default settings cannot bear a unit."""
    return locks(unit) > BEARABLE


def batches(tables: Sequence[TableView]) -> list[tuple[TableView, ...]]:
    """Tables in groups whose foreign keys one transaction bears easily, and a person can read."""
    groups: list[list[TableView]] = []
    room = 0
    for table in tables:
        needed = 8 + 10 * len(table.change.foreign_keys)
        if not groups or needed > room:
            groups.append([])
            room = _BATCH
        groups[-1].append(table)
        room -= needed
    return [tuple(group) for group in groups]
