"""The contract phase of the online strategy: the old contract goes, once nobody uses it."""

from __future__ import annotations

from collections.abc import Sequence

from runner.generate.files import File
from runner.generate.kinds import (
    compat,
    foreign_key,
    key,
    old_foreign_key,
    old_side,
    old_values,
    reversal,
    settled,
    standing,
    table,
)
from runner.generate.locks import is_large, old_foreign_keys
from runner.generate.unit import Unit


def files(u: Unit, enforced: Sequence[File]) -> list[File]:
    """The files that leave a unit with its new contract alone, in their order."""
    closed: list[File] = []
    for place, t in enumerate(u.tables):
        # The first file of a large unit proves it for all of its tables.
        still_open = u.tables[place : place + 1 if place and is_large(u) else None]
        after = closed[-1:] if closed and is_large(u) else enforced
        closed.append(compat.contract(t, still_open, after))
    kept: list[File] = []
    for t in u.tables:
        if t.keeps_spellings:
            kept.append(reversal.contract(t, kept[-1:] if kept and is_large(u) else closed))
    found = [*closed, *kept]
    previous = kept or closed
    stored: list[File] = []
    for d in u.stored:
        built = list(standing.build(u, d, previous))
        found += built
        stored.append(built[-1])
    if u.early:
        previous = [standing.contract(u, stored or previous)]
        found += previous
    for place, keys in enumerate(old_foreign_keys(u)):
        found += old_foreign_key.contract(u, keys, place, previous)
        previous = found[-1:]
    # The rollback goes from the last to the first: parents before their children.
    tables = [t for t in reversed(u.tables) if t.columns or t.old != t.new]
    converted = [t for t in tables if t.columns]
    for t in converted:
        found += key.indexes(t, previous)
        found.append(old_side.keys(u, t, found[-1:] if found[-1] not in previous else previous))
        previous = found[-1:]
        for k in (k for k in key.resting_on(t) if k.validated):
            found.append(foreign_key.prove(t, k, k.table, k.name, previous, phase="contract"))
            previous = found[-1:]
        # At once, and in an instant: the rollback of the keys builds upon them.
        found += old_side.key_indexes(t, previous)
        previous = found[-1:]
    for t in converted:
        found += old_side.indexes(t, previous)
        previous = found[-1:]
    if settled.is_needed(u):
        found.append(settled.contract(u, previous))
        previous = found[-1:]
    for t in converted:
        if t.is_partitioned:
            found.append(old_values.fill_late(u, t, previous))
            previous = found[-1:]
        for name in t.with_rows:
            found.append(old_values.fill(u, t, name, old_side.proven(t), previous))
            previous = found[-1:]
    for t in tables:
        found.append(table.contract(t, u, previous))
        previous = found[-1:]
    return found
