"""Which text columns may become uuid: each together with all that foreign keys tie to it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from runner.catalog import Catalog, Column, Relation
from runner.quoting import Name
from runner.standard.evidence import Evidence, may_hold_uuids, plain
from runner.standard.naming import singular, words_of

Key = tuple[Name, str]

_IDS = {"id", "uuid", "guid", "key", "pk", "ref", "oid"}
_KINDS = {"type", "kind", "class", "model", "table", "entity"}
_DIGESTS = {"hash", "digest", "checksum", "fingerprint", "etag", "md5", "sha", "sha1", "sha256"}


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is proposed for a column that may hold uuids.

    Args:
        evidence: what its values say.
        reason: why a person has to decide; empty when it is sure.
    """

    evidence: str
    reason: str = ""


# A migration tool's own tables change with the tool.
_OF_MIGRATIONS = {"_yoyo_migration", "_yoyo_log", "_yoyo_version", "yoyo_lock", "alembic_version"}


def tables_of(catalog: Catalog) -> list[Relation]:
    """The tables of a service that may have an entry: no partitions, nothing of a runner's."""
    return [t for t in catalog.tables if t.name not in _OF_MIGRATIONS and not t.parents]


def tied_columns(catalog: Catalog) -> dict[Key, Sequence[Key]]:
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
    ties: dict[Key, Sequence[Key]] = {}
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


@dataclass(frozen=True, slots=True)
class Join:
    """How many values of a column are ids of a table.

    Args:
        key: the ids.
        missing: how many of the values are none of them.
        tied: whether the key is text, too, and has to go along.
    """

    key: Key
    missing: int
    tied: bool = True


@dataclass(frozen=True, slots=True)
class Verdicts:
    """The columns that may become uuid, and those of them that need one more look.

    Args:
        found: what is proposed, by column.
        known: the columns of ids: primary keys that are all uuids.
        loose: the columns of uuids of which no key says what they are.
    """

    found: dict[Key, Verdict] = field(default_factory=dict)
    known: list[Key] = field(default_factory=list)
    loose: list[Key] = field(default_factory=list)


def uuid_verdicts(
    tables: Iterable[Relation],
    catalog: Catalog,
    evidence: Mapping[tuple[str, str, str], Evidence],
    ties: Mapping[Key, Sequence[Key]],
) -> Verdicts:
    """Each column that may become uuid, by what keys say of it.

    Args:
        tables: those that may be converted.
        catalog: what the database holds.
        evidence: of read_evidence.
        ties: of tied_columns.
    """
    columns = {(t.qualified, c.name): (t, plain(c, catalog)) for t in tables for c in t.columns}
    everywhere = {
        (t.qualified, c.name): plain(c, catalog) for t in catalog.tables for c in t.columns
    }
    found = Verdicts()
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
            table, column = columns[member]
            if against is not None:
                if verdict.is_sure or verdict.mixed:
                    found.found[member] = Verdict(verdict.evidence, _tied(member, *against))
            elif verdict.is_sure:
                reason = "" if len(members) > 1 else _unproven(table, column)
                found.found[member] = Verdict(verdict.evidence, reason)
                if reason == _LOOSE:
                    found.loose.append(member)
                elif not reason and _is_primary(table, column):
                    found.known.append(member)
            elif sure is not None:
                found.found[member] = Verdict(f"no row to look at, and tied to {_shown(sure)}")
            elif _is_named_so(table, column):
                found.found[member] = Verdict("", "no row to look at")
    found.known.extend(
        key
        for key, column in everywhere.items()
        if column.type == "uuid" and _is_primary(catalog.relations[key[0]], column)
    )
    return found


def settle(
    verdicts: Verdicts,
    joins: Mapping[Key, Join],
    ties: Mapping[Key, Sequence[Key]],
    *,
    read: bool,
) -> tuple[dict[Key, Verdict], dict[Key, Sequence[Key]]]:
    """Decide on the columns that no key speaks for: those whose values are all known ids are sure.

    Args:
        verdicts: of uuid_verdicts.
        joins: what their values are ids of.
        ties: of tied_columns.
        read: whether tables could be read for that.

    Returns:
        The verdict of each column, and the ties, with those that values make.
    """
    found, tied = dict(verdicts.found), dict(ties)
    for key in verdicts.loose:
        evidence, join = found[key].evidence, joins.get(key)
        if join is None:
            more = "and none of its values is a known id" if read else "and no table was read"
            found[key] = Verdict(evidence, f"{_LOOSE}, {more}")
        elif join.missing:
            found[key] = Verdict(
                evidence,
                f"{_LOOSE}, and {join.missing:,} of them are not ids of {_shown(join.key)}",
            )
        else:
            found[key] = Verdict(f"{evidence}, and ids of {_shown(join.key)}")
            if join.tied:
                members = sorted({*tied.get(join.key, [join.key]), key})
                tied |= dict.fromkeys(members, members)
    return found, tied


_LOOSE = "no primary or foreign key of its own proves them ids"


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
    if seen.uuids < seen.filled:
        others = f"{seen.filled - seen.uuids:,} of {seen.filled:,} values are not uuids"
        return _Judgement(against=others, mixed=2 * seen.uuids >= seen.filled)
    how = f", {', '.join(seen.spellings)}" if seen.spellings else ""
    every = "all" if seen.whole else "statistics: all"
    default = "" if column.gives_null else f"; its default is {column.given}"
    values = f"{every} {seen.filled:,} values are uuids"
    if seen.filled == 1:
        values = "the one value is a uuid"
    evidence = f"{values}{how}{default}"
    if seen.digests:
        against = (
            f"{seen.digests:,} of {seen.filled:,} values have no uuid's version, as MD5 digests"
        )
        return _Judgement(evidence, against=against, mixed=True)
    if _DIGESTS.intersection(w.lower() for w in words_of(column.name)):
        return _Judgement(evidence, against="its name is a digest's", mixed=True)
    return _Judgement(evidence, is_sure=True)


def _unproven(table: Relation, column: Column) -> str:
    """Why a column without a foreign key may hold something else than uuids tomorrow."""
    if _is_primary(table, column):
        return ""
    if kind := _told_by(table, column):
        return f"{kind} tells what it is the id of, and another kind may have other ids"
    return _LOOSE


def _is_primary(table: Relation, column: Column) -> bool:
    """Whether a column is the primary key, or the id in one that has to hold more."""
    key = table.primary_key
    if key is None or column.name not in key.columns:
        return False
    *stem, last = [w.lower() for w in words_of(column.name)] or [""]
    own = [w.lower() for w in words_of(singular(table.name))]
    is_own = last in _IDS and own[len(own) - len(stem) :] == stem
    return key.columns == (column.name,) or (is_own and not _told_by(table, column))


def _told_by(table: Relation, column: Column) -> str:
    """The column that tells what a polymorphic id names: `source_type` beside `source_id`."""
    *stem, last = [w.lower() for w in words_of(column.name)] or [""]
    if not stem or last not in _IDS:
        return ""
    for other in table.columns:
        words = [w.lower() for w in words_of(other.name)]
        if words[-1:] == ["id"]:
            words.pop()  # Django's content_type_id
        stems = [stem, ["content"]] if stem == ["object"] else [stem]
        if words[-1:] and words[-1] in _KINDS and words[:-1] in stems:
            return other.name
    return ""


def _tied(member: Key, other: Key, why: str) -> str:
    return why if member == other else f"it is tied to {_shown(other)}: {why}"


def _shown(key: Key) -> str:
    return f"{key[0]}.{key[1]}"


def _is_named_so(table: Relation, column: Column) -> bool:
    named = column.name == "id" or column.name.endswith(("_id", "uuid"))
    is_narrow = re.search(r"\((3[2-8])\)", column.type) is not None
    return named and may_hold_uuids(column) and (is_narrow or _is_primary(table, column))
