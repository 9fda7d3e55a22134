"""Which text columns may become uuid: each together with all that foreign keys tie to it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from runner.catalog import Catalog, Column, Relation
from runner.quoting import Name
from runner.standard.evidence import Evidence, may_hold_uuids

Key = tuple[Name, str]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is proposed for a column that may hold uuids.

    Args:
        evidence: what its values say.
        reason: why a person has to decide; empty when it is sure.
    """

    evidence: str
    reason: str = ""


def tied_columns(catalog: Catalog) -> dict[Key, list[Key]]:
    """The columns that foreign keys tie together: by each, all of them in order."""
    neighbours: dict[Key, list[Key]] = {}
    for table in catalog.tables:
        for constraint in table.constraints:
            if constraint.kind != "f" or constraint.references is None:
                continue
            for here, there in zip(constraint.columns, constraint.referenced_columns, strict=True):
                child, parent = (table.qualified, here), (constraint.references, there)
                neighbours.setdefault(child, []).append(parent)
                neighbours.setdefault(parent, []).append(child)
    ties: dict[Key, list[Key]] = {}
    for start in neighbours:
        if start in ties:
            continue
        members = [start]
        ties[start] = members
        for key in members:
            for other in neighbours[key]:
                if other not in ties:
                    ties[other] = members
                    members.append(other)
        members.sort()
    return ties


def uuid_verdicts(
    tables: Iterable[Relation],
    catalog: Catalog,
    evidence: Mapping[tuple[str, str, str], Evidence],
    ties: Mapping[Key, list[Key]],
) -> dict[Key, Verdict]:
    """Each column that may become uuid.

    Args:
        tables: those that may be converted.
        catalog: what the database holds.
        evidence: of read_evidence.
        ties: of tied_columns.
    """
    columns = {(t.qualified, c.name): c for t in tables for c in t.columns}
    everywhere = {(t.qualified, c.name): c for t in catalog.tables for c in t.columns}
    found: dict[Key, Verdict] = {}
    done: set[Key] = set()
    for key in columns:
        if key in done:
            continue
        members = ties.get(key, [key])
        done.update(members)
        seen = {m: _judge(everywhere.get(m), evidence.get((*m[0], m[1]))) for m in members}
        sure = next((m for m, j in seen.items() if j.is_sure), None)
        against = next(((m, j.against) for m, j in seen.items() if j.against), None)
        for member in members:
            verdict = seen[member]
            if member not in columns:
                continue
            if against is not None:
                if verdict.is_sure or verdict.mixed:
                    found[member] = Verdict(verdict.evidence, _tied(member, *against))
            elif verdict.is_sure:
                found[member] = Verdict(verdict.evidence)
            elif sure is not None:
                found[member] = Verdict(f"no row to look at, and tied to {_shown(sure)}")
            elif _is_named_so(columns[member]):
                found[member] = Verdict("", "no row to look at")
    return found


@dataclass(frozen=True, slots=True)
class _Judgement:
    evidence: str = ""
    is_sure: bool = False
    against: str = ""
    mixed: bool = False  # some of its values are uuids


def _judge(column: Column | None, seen: Evidence | None) -> _Judgement:
    if column is None:
        return _Judgement(against="is not among the tables that were looked at")
    if not may_hold_uuids(column):
        return _Judgement(against=f"is {column.type}")
    if seen is None or seen.uuids is None or not seen.filled:
        return _Judgement()
    if seen.uuids == seen.filled:
        how = f", {', '.join(seen.spellings)}" if seen.spellings else ""
        every = "all" if seen.whole else "statistics: all"
        default = "" if column.gives_null else f"; its default is {column.default}"
        values = f"{every} {seen.filled:,} values are uuids"
        if seen.filled == 1:
            values = "the one value is a uuid"
        return _Judgement(f"{values}{how}{default}", is_sure=True)
    others = f"{seen.filled - seen.uuids:,} of {seen.filled:,} values are no uuids"
    return _Judgement(against=others, mixed=seen.uuids > 0)


def _tied(member: Key, other: Key, why: str) -> str:
    return why if member == other else f"it is tied to {_shown(other)}: {why}"


def _shown(key: Key) -> str:
    return f"{key[0]}.{key[1]}"


def _is_named_so(column: Column) -> bool:
    named = column.name == "id" or column.name.endswith(("_id", "uuid"))
    return "(" in column.type and named
