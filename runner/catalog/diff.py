"""The differences between two catalogs."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields
from typing import Any

from runner.catalog.model import Catalog, Statistics


@dataclass(frozen=True, slots=True)
class Difference:
    """One property of one object in which a catalog differs from the expected one."""

    object: str
    property: str
    expected: Any
    found: Any

    def __str__(self) -> str:
        if self.property == "exists":
            return f"{self.object}: {'missing' if self.expected else 'not expected'}"
        return f"{self.object}: {self.property} is {self.found!r}, expected {self.expected!r}"


_PARTS = {
    "columns": "column",
    "constraints": "constraint",
    "indexes": "index",
    "triggers": "trigger",
    "policies": "policy",
    "rules": "rule",
    "statistics": "statistics",
    "publications": "publication",
}


# `x IN ('a', 'b')` on a varchar is written as a cast of the array. When PostgreSQL reads that text,
# as from a dump, it casts each element, and writes it so from then on.
_LITERAL = r"'(?:[^']|'')*'(?:::[a-z ]+)?"
_CAST_ARRAY = re.compile(rf"\(ARRAY\[({_LITERAL}(?:, {_LITERAL})*)\]\)::text\[\]")


def as_dumped(definition: str) -> str:
    """A text of PostgreSQL's that holds definitions, as it would be after a dump."""
    return _CAST_ARRAY.sub(
        lambda found: "ARRAY[" + re.sub(_LITERAL, r"(\g<0>)::text", found[1]) + "]", definition
    )


def _same(before: Any, after: Any) -> bool:
    if isinstance(before, str) and isinstance(after, str):
        return as_dumped(before) == as_dumped(after)
    return bool(before == after)


def diff(
    expected: Catalog, found: Catalog, *, column_order: bool = True, ignore: Iterable[str] = ()
) -> list[Difference]:
    """List every property of every object in which `found` differs from `expected`.

    Args:
        expected: the catalog that should be.
        found: the catalog that is.
        column_order: whether the physical order of columns counts.
        ignore: names of relations' properties that do not count, such as "owner".

    Returns:
        The differences, in the order of the objects' names; empty when there are none.
    """
    skipped = frozenset(ignore)
    differences: list[Difference] = []
    for kind in ("relations", "functions", "types"):
        old, new = getattr(expected, kind), getattr(found, kind)
        for name in sorted(old.keys() | new.keys()):
            label = f"{kind.removesuffix('s')} {name}"
            differences += _compare(label, old.get(name), new.get(name), skipped, column_order)
    return differences


def _compare(
    label: str, old: Any, new: Any, skipped: frozenset[str], column_order: bool
) -> Iterator[Difference]:
    if old is None or new is None:
        yield Difference(label, "exists", old is not None, new is not None)
        return
    for name in (f.name for f in fields(old)):
        before, after = getattr(old, name), getattr(new, name)
        if name in skipped or _same(before, after):
            continue
        if not column_order and isinstance(old, Statistics) and name == "definition":
            continue  # it lists the columns in their physical order
        if name not in _PARTS:
            yield Difference(label, name, before, after)
            continue
        left, right = {x.name: x for x in before}, {x.name: x for x in after}
        for part in sorted(left.keys() | right.keys()):
            yield from _compare(
                f"{label} {_PARTS[name]} {part}",
                left.get(part),
                right.get(part),
                skipped,
                column_order,
            )
        if name == "columns" and column_order and left.keys() == right.keys():
            order = [x.name for x in before], [x.name for x in after]
            if order[0] != order[1]:
                yield Difference(label, "column order", *order)
