"""The contract phase of the online strategy: the old contract goes, once nobody uses it."""

from __future__ import annotations

from collections.abc import Sequence

from runner.generate.files import File
from runner.generate.kinds import compat, foreign_key, key, reversal, standing, table
from runner.generate.locks import is_large, old_foreign_keys
from runner.generate.unit import Unit

_FOLDER = "online/contract"


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
    if u.dependents:
        previous = [standing.contract(u, stored or previous)]
        found += previous
    for place, (keys, references) in enumerate(old_foreign_keys(u)):
        previous = [foreign_key.contract(u, keys, references, place, previous)]
        found += previous
    for t in reversed(u.tables):
        if not t.columns and t.old == t.new:
            continue
        indexes = list(key.indexes(t, _FOLDER, previous))
        finish = table.contract(t, u, indexes[-1:] or previous)
        found += [*indexes, finish]
        previous = [finish]
        for k in (k for k in key.resting_on(t) if k.validated):
            previous = [
                foreign_key.prove(t, k, k.table, k.name, previous, phase="contract", folder=_FOLDER)
            ]
            found += previous
    return found
