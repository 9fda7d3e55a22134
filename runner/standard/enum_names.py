"""What the enums that a file holds are called: columns with the same values share one."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field

from runner.catalog import Catalog
from runner.standard.model import EnumStandard
from runner.standard.naming import singular, words_of
from runner.standard.proposal import Entry

_COMMON = {"status", "state", "type", "kind", "mode", "level", "role", "enum"}
_SHORTEST = 3  # letters of a word that is looked for within another
_LONG_ENOUGH = 5  # of one that is, beside a word that is not known


@dataclass(frozen=True)
class Wish:
    """An enum that an entry of the proposal needs.

    Args:
        entry: it gets the enum's name.
        schema: of its table.
        table: the table's new name.
        column: the column's name, or the last key of a path.
        values: the enum's values.
        mapping: as in EnumStandard.
        back: as in EnumStandard.
        type_name: of its native type; empty for a text.
        is_sure: whether a type or a CHECK lists the values.
    """

    entry: Entry
    schema: str
    table: str
    column: str
    values: tuple[str, ...]
    mapping: Mapping[str, str] = field(default_factory=dict)
    back: Mapping[str, str] = field(default_factory=dict)
    type_name: str = ""
    is_sure: bool = False


def vocabulary(catalog: Catalog) -> set[str]:
    """The words that names of tables and columns consist of."""
    names = itertools.chain.from_iterable(
        (t.name, *(c.name for c in t.columns)) for t in catalog.tables
    )
    words = {w.lower() for name in names for w in words_of(name)}
    return {w for w in words | {singular(w) for w in words} | _COMMON if len(w) >= _SHORTEST}


def name_enums(
    wishes: Iterable[Wish], known: Set[str], taken: Iterable[str]
) -> dict[str, EnumStandard]:
    """Give each entry the name of its enum.

    Args:
        wishes: their entries are changed in place.
        known: the words of the schema, as vocabulary() has them.
        taken: names of enums that the file's own must not have.

    Returns:
        The enums that the file holds, by name.
    """
    groups: dict[object, list[Wish]] = {}
    for wish in wishes:
        alike = (frozenset(wish.values), *(frozenset(d.items()) for d in (wish.mapping, wish.back)))
        groups.setdefault(alike, []).append(wish)
    found: dict[str, EnumStandard] = {}
    used = {*taken}
    for group in groups.values():
        first = next((w for w in group if w.is_sure), group[0])
        name = next(n for n in _names(group, first, known) if n not in used)
        used.add(name)
        found[name] = EnumStandard(name, first.values, first.mapping, first.back)
        for wish in group:
            wish.entry.value = name
    return found


def _names(group: Sequence[Wish], first: Wish, known: Set[str]) -> Iterator[str]:
    types = {w.type_name for w in group if w.type_name}
    own = _joined(words_of(first.table), _singular(first.column))
    best = own
    if len(types) == 1:
        best = _of_type(types.pop(), known)
    elif len(group) > 1 and len({tuple(_singular(w.column)) for w in group}) == 1:
        best = _singular(first.column)
    for words in (best, own, [first.schema, *own]):
        yield _camel(words)
    for number in itertools.count(2):
        yield f"{_camel(best)}{number}"


def _singular(column: str) -> list[str]:
    return [w.lower() if w.isupper() else w for w in words_of(singular(column))]


def _joined(table: Sequence[str], column: Sequence[str]) -> list[str]:
    """The words of both, those at the joint once: `run` and `run_status` are `RunStatus`."""
    before, after = [w.lower() for w in table], [w.lower() for w in column]
    both = next((n for n in range(len(after), 0, -1) if before[-n:] == after[:n]), 0)
    return [*table, *column[both:]]


def _of_type(name: str, known: Set[str]) -> list[str]:
    """The words of a type's name, as SQLAlchemy runs them together: `modelprovider`."""
    words = [singular(part) for word in words_of(name) for part in _within(word, known)]
    said = [w for w in words if w.lower() != "enum"]
    return said or words


def _within(word: str, known: Set[str]) -> list[str]:
    """The known words that a word consists of; the word itself, where it cannot be told."""
    lower = word.lower()
    if lower in known or word != lower:
        return [word]
    # By each length: the fewest words that make it.
    best: dict[int, list[str]] = {0: []}
    for end in range(_SHORTEST, len(lower) + 1):
        for start in range(end - _SHORTEST, -1, -1):
            part = lower[start:end]
            if start not in best or part not in known:
                continue
            if end not in best or len(best[start]) + 1 < len(best[end]):
                best[end] = [*best[start], part]
    if len(lower) in best:
        return best[len(lower)]
    # One word more that no table and no column has: `coalescepolicy` of a column `coalesce`. A
    # short one is rather a part of a word: `priority` of a column `prio`, `platform` of a `form`.
    sure = {w for w in known if len(w) >= _LONG_ENOUGH} | _COMMON
    cuts = [n for n in range(_SHORTEST, len(lower) - _SHORTEST + 1) if lower[:n] in sure]
    ends = [n for n in range(_SHORTEST, len(lower) - _SHORTEST + 1) if lower[n:] in sure]
    cut = max(cuts, default=0) or min(ends, default=0)
    return [lower[:cut], lower[cut:]] if cut else [word]


def _camel(words: Iterable[str]) -> str:
    parts = [w.capitalize() if w.isupper() and len(w) > _SHORTEST else w for w in words]
    return "".join(w[:1].upper() + w[1:] for w in parts) or "Enum"
