"""The locks of files: how long a short one is held, how many one transaction can bear."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from itertools import accumulate

from runner.generate.files import BRIEF
from runner.generate.model import ForeignKeyChange, TableChange
from runner.generate.statement import Lock, lock
from runner.generate.unit import Reference, Unit
from runner.postgres.locks import LockMode
from runner.quoting import Name

# PostgreSQL promises max_locks_per_transaction * max_connections locks: 6,400 by default.
BEARABLE = 5_000
_BATCH = 1_000
FOREIGN_KEY = 9  # dropping one locks the constraint and four triggers


def brief(t: TableChange) -> str:
    """How long a short lock on a table is held."""
    return BRIEF.replace("ms;", "ms a partition;", 1) if t.is_partitioned else BRIEF


def locked(t: TableChange, name: Name, mode: LockMode = LockMode.ACCESS_EXCLUSIVE) -> Lock:
    """A lock on a table under one of its names, with its partitions."""
    return lock(mode, name, said=f"{name.name} and its partitions" if t.is_partitioned else "")


def locks(tables: Iterable[TableChange]) -> int:
    """The locks that converting tables in one transaction takes, a little overestimated."""
    return sum(map(_locks, tables))


def _locks(table: TableChange) -> int:
    # Measured on PostgreSQL 18: a rewrite makes and locks new files for the table, its indexes and
    # its TOAST. Under plain yoyo each statement is a subtransaction, which is one lock more.
    keys = FOREIGN_KEY * len(table.foreign_keys)
    return 32 + 6 * len(table.indexes) + 3 * len(table.columns) + keys


def are_many(tables: Iterable[TableChange]) -> bool:
    """Whether one transaction of a server with default settings cannot bear a unit's tables."""
    return any(total > BEARABLE for total in accumulate(map(_locks, tables)))


def is_large(unit: Unit) -> bool:
    """Whether one transaction of a server with default settings cannot bear a unit."""
    return are_many(unit.tables)


def most_locks(changes: Iterable[TableChange]) -> int:
    """The locks of the largest transaction of any file or rollback."""
    units: dict[int, list[TableChange]] = defaultdict(list)
    referring: Counter[Name] = Counter()
    for change in changes:
        units[change.unit].append(change)
        referring.update(k.references for k in change.foreign_keys)
    in_one = [_BATCH if are_many(tables) else locks(tables) for tables in units.values()]
    # Rolling back contract makes the key of a table again, and what refers to it.
    hubs = [_locks(t) + FOREIGN_KEY * referring[t.new] for tables in units.values() for t in tables]
    return max((*in_one, *hubs), default=0)


def batches(tables: Sequence[TableChange]) -> list[tuple[TableChange, ...]]:
    """Tables in groups whose foreign keys one transaction bears easily, and a person can read."""
    groups: list[list[TableChange]] = []
    room = 0
    for table in tables:
        needed = 8 + 10 * len(table.foreign_keys)
        if not groups or needed > room:
            groups.append([])
            room = _BATCH
        groups[-1].append(table)
        room -= needed
    return [tuple(group) for group in groups]


def old_foreign_keys(
    unit: Unit,
) -> list[tuple[Sequence[ForeignKeyChange], Sequence[Reference]]]:
    """The old foreign keys that each file drops, and the references that its rollback spells.

    A rollback goes from the last to the first: all references are spelled before a key is added.
    """
    if not is_large(unit):
        return [(unit.foreign_keys, unit.references)] if unit.foreign_keys else []
    groups = batches(unit.tables)
    keys = [[k for t in group for k in t.foreign_keys if k.converted] for group in groups]
    references = [[r for t in group for r in unit.references_of(t)] for group in groups]
    return [
        *((found, ()) for found in keys if found),
        *(((), found) for found in references if found),
    ]
