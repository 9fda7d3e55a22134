"""catalog + evidence -> a standard that a person decides on."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from runner.catalog import Catalog, Column, Relation
from runner.quoting import Name, quote_ident
from runner.standard.documents import Texts
from runner.standard.enum_names import Wish, name_enums, vocabulary
from runner.standard.evidence import Evidence, is_integer, is_text
from runner.standard.keys import Key, Verdict, tables_of
from runner.standard.model import LONGEST, EnumStandard
from runner.standard.naming import singular, table_names, with_prefix, words_of
from runner.standard.proposal import Entry, Paragraph, Proposal

# Migration tools look for their tables by these names.
_OF_TOOLS = frozenset(
    """
    _prisma_migrations _sqlx_migrations __diesel_schema_migrations alembic_version
    ar_internal_metadata atlas_schema_revisions databasechangelog databasechangeloglock
    django_migrations doctrine_migration_versions flyway_schema_history goose_db_version
    gorp_migrations knex_migrations knex_migrations_lock migrations pgmigrations schema_migrations
    schema_version sequelizemeta typeorm_migrations
    """.split()
)
# Columns whose texts are no enum's, however few they are today: ids, digests, keys, free text.
_NO_ENUM = frozenset(
    """
    address alias author avatar body checksum city comment content country data date day
    description detail details digest domain email etag file filename fingerprint firstname guid
    hash hex host hostname icon id ids image instance ip key label lastname link login md5 message
    name nickname note notes number oid owner password path phone pk query reason ref sha sha1
    sha256 signature slug sql subject summary text title token url uri user username uuid value
    version zip
    """.split()
)
_MOST_PATHS = 4  # that the standard takes of a JSON column
_KINDS = {"v": "view", "m": "materialized view", "S": "sequence", "f": "foreign table"}


@dataclass(frozen=True, slots=True)
class Found:
    """What was found out of a database beside its catalog.

    Args:
        evidence: of read_evidence.
        uuids: the verdict of each column that may become uuid.
        ties: the columns that become uuid together, or not at all: by each, all of them.
        documents: of read_documents.
    """

    evidence: Mapping[tuple[str, str, str], Evidence]
    uuids: Mapping[Key, Verdict]
    ties: Mapping[Key, Sequence[Key]]
    documents: Mapping[tuple[str, str, str], Sequence[Texts]] = field(default_factory=dict)


def propose(
    service: str,
    catalog: Catalog,
    found: Found,
    *,
    enums: Sequence[EnumStandard] = (),
    enums_module: str | None = None,
    words: Mapping[str, str] | None = None,
) -> Proposal:
    """Propose a standard for a service.

    Args:
        service: its name.
        catalog: what its database holds; its first schema is the service's own.
        found: what was found out of it.
        enums: the shared enums, to recognise columns by their values.
        enums_module: the module that holds them.
        words: the user's own plurals and singulars.

    Returns:
        What is sure as entries in force with their evidence, the rest with the reason.
    """
    tables = tables_of(catalog)
    proposer = _Proposer(
        service, catalog, found, list(enums), _taken_names(catalog), _new_names(tables, words)
    )
    paragraphs = [Paragraph(t, list(proposer.entries(t))) for t in tables]
    own = name_enums(proposer.wishes, vocabulary(catalog), [e.name for e in enums])
    return Proposal(
        service,
        catalog.schemas[0],
        enums_module,
        {e.name: e for e in enums} | own,
        list(own),
        paragraphs,
        found.ties,
        list(_notes(catalog, words)),
    )


def _new_names(tables: Sequence[Relation], words: Mapping[str, str] | None) -> dict[Name, str]:
    """What each table will be called."""
    return {
        Name(schema, old): new
        for schema in {t.schema for t in tables}
        for old, new in table_names([t.name for t in tables if t.schema == schema], words).items()
    }


def _taken_names(catalog: Catalog) -> dict[Name, str]:
    """What has a name that a table cannot have beside it."""
    taken = dict.fromkeys(catalog.types, "type")
    for name, relation in catalog.relations.items():
        taken |= {Name(name.schema, i.name): "index" for i in relation.indexes}
        taken[name] = _KINDS.get(relation.kind, "table")
    return taken


def _notes(catalog: Catalog, words: Mapping[str, str] | None) -> Iterator[str]:
    for name, relation in sorted(catalog.relations.items()):
        wanted = singular(name.name, words)
        if relation.kind in "vmf" and wanted != name.name:
            kind = _KINDS[relation.kind]
            yield f"{kind} {name} keeps its name: only tables are renamed (else to {wanted})"


@dataclass
class _Proposer:
    service: str
    catalog: Catalog
    found: Found
    enums: Sequence[EnumStandard]
    taken: Mapping[Name, str]
    names: Mapping[Name, str]
    wishes: list[Wish] = field(default_factory=list)

    @cached_property
    def wanted(self) -> Counter[Name]:
        """How many tables want a name."""
        return Counter(Name(old.schema, new) for old, new in self.names.items())

    def entries(self, table: Relation) -> Iterator[Entry]:
        """What is proposed for a table."""
        name, reason = self._name(table)
        yield Entry("name", "", name, reason=reason)
        entity = self.names[table.qualified]
        rest: list[Entry] = []
        for column in table.columns:
            place = (table.schema, table.name, column.name)
            seen = self.found.evidence.get(place)
            verdict = self.found.uuids.get((table.qualified, column.name))
            if verdict is not None:
                yield Entry("uuids", column.name, "", verdict.evidence, verdict.reason)
            elif column.name == "metadata" and column.type in {"json", "jsonb"}:
                rest.append(_metadata(table, entity))
            elif seen is not None and is_integer(column):
                rest += _integers(table, column, seen)
            elif seen is not None:
                rest += self._enum(table, entity, column, seen)
            rest += self._paths(table, entity, column, self.found.documents.get(place, ()))
        yield from rest

    def _name(self, table: Relation) -> tuple[str, str]:
        """What a table will be called, or another name with the reason against the first."""
        name = self.names[table.qualified]
        if name == table.name:
            return name, ""
        if table.name.lower() in _OF_TOOLS:
            return name, f"{table.name} is the name by which a migration tool looks for it"
        if not (against := self._against(table, name)):
            return name, ""
        other = with_prefix(name, self.service)
        if other == name or self._against(table, other) or table.column(other):
            other = name
        free = f", {other} is free" if other != name else ", choose another"
        return other, against + free

    def _against(self, table: Relation, name: str) -> str:
        new = Name(table.schema, name)
        if len(name.encode()) > LONGEST:
            return f"{name} is longer than {LONGEST} bytes"
        if new in self.taken:
            return f"{name} is taken by the {self.taken[new]} of that name"
        if self.wanted[new] > 1:
            return f"{self.wanted[new]} tables would get the name {name}"
        if quote_ident(name) != name and quote_ident(table.name) == table.name:
            return f"{name} is a reserved word"
        return ""

    def _enum(self, table: Relation, name: str, column: Column, seen: Evidence) -> Iterator[Entry]:
        values = seen.labels or seen.values
        if not values or (column.generated and not seen.labels):
            return
        upper = tuple(dict.fromkeys(v.upper() for v in values))
        shown = f"{len(values)} values in {seen.filled:,} rows: {_listed(values)}"
        if seen.labels:
            shown = f"labels: {_listed(values)}"
        named = self.catalog.types.get(column.type_name) if column.type_name else None
        native = bool(named and named.labels)
        below = (named and named.definition) or ""
        if not (native or is_text(column) or below.startswith(("text", "character"))):
            return  # a CHECK may list dates, or a domain numbers
        if seen.labels and column.type.startswith("character varying") and upper == values:
            return  # at the standard already
        words = all(map(_is_word, values))
        of_tool = table.name.lower() in _OF_TOOLS
        if not seen.labels and (not words or of_tool or not _may_be_enum(table, column, values)):
            return
        reason = "" if words else "its values are not plain words: check the names"
        if len(upper) == 1 and seen.labels and not native:
            reason = "its CHECK allows one value only, as where a table may hold one row only"
        if not reason and not _default_fits(column, upper):
            reason = f"its default {column.default} is none of its values"
        if column.default is not None and not column.gives_null and not reason:
            shown += f"; its default {column.default.partition('::')[0]} follows"
        mapping = {} if words or column.is_array else _mapping(upper)
        back = _back(values, mapping, native=native)
        if column.is_array and back and not reason:
            reason = "generate refuses it: an array cannot restore values in both cases"
        fitting = [e for e in self.enums if {*upper} <= {*e.values}]
        fitting.sort(key=lambda e: (not _named_alike(e.name, name, column.name), len(e.values)))
        if (
            fitting
            and not back
            and (seen.labels or len(upper) > 1 or _named_alike(fitting[0].name, "", column.name))
        ):
            more = [v for v in fitting[0].values if v not in upper]
            if seen.labels and more:
                shown += f"; the old contract cannot hold {_listed(more)}"
            yield Entry("enums", column.name, fitting[0].name, shown, reason)
            return
        if not seen.labels:
            if not is_text(column) or seen.filled < 5 * len(values) or len(values) < 2:
                return
            reason = reason or "it looks like an enum, but no CHECK says so"
            upper = tuple(sorted(upper))
        entry = Entry("enums", column.name, "", shown, reason)
        self.wishes.append(
            Wish(
                entry,
                table.schema,
                name,
                column.name,
                tuple(dict.fromkeys(mapping.get(v, v) for v in upper)),
                mapping,
                back,
                column.type_name.name if named and column.type_name else "",
                bool(seen.labels),
            )
        )
        yield entry

    def _paths(
        self, table: Relation, name: str, column: Column, paths: Sequence[Texts]
    ) -> Iterator[Entry]:
        """The paths of a JSON column at which an enum's values seem to stand."""
        likely = [
            p
            for p in paths
            if all(map(_is_word, p.values))
            and _is_enum_s(p.keys[-1], p.values)
            and p.filled >= 5 * len(p.values)
            and any(v != v.upper() for v in p.values)
        ]
        for path in likely[:_MOST_PATHS]:
            shown = (
                f"{len(path.values)} values in {path.filled:,} of {path.documents:,} documents:"
                f" {_listed(path.values)}"
            )
            reason = "it looks like an enum inside documents"
            entry = Entry("json", column.name, "", shown, reason, path.keys)
            upper = tuple(sorted({v.upper() for v in path.values}))
            back = _back(path.values, {}, native=False)
            self.wishes.append(Wish(entry, table.schema, name, path.keys[-1], upper, {}, back))
            yield entry


def _metadata(table: Relation, entity: str) -> Entry:
    new = f"{entity}_metadata"
    reason = ""
    if table.column(new) is not None:
        reason = f"the table has a column {new} already"
    elif len(new.encode()) > LONGEST:
        reason = f"{new} is longer than {LONGEST} bytes, choose another"
    return Entry("columns", "metadata", new, "JSON, named after its table", reason)


def _integers(table: Relation, column: Column, seen: Evidence) -> Iterator[Entry]:
    values = seen.labels or seen.values or ()
    numbers = sorted(int(v) for v in values if re.fullmatch(r"-?\d{1,18}", v))
    if not numbers:
        return
    guarded = any(k.kind == "c" and k.columns == (column.name,) for k in table.constraints)
    if seen.labels:
        reason = "a CHECK guards it already"
    elif guarded or len(numbers) < 2 or seen.filled < 5 * len(numbers):
        return
    else:
        reason = f"{len(numbers)} integers in {seen.filled:,} rows, may be an enum"
    yield Entry("integers", column.name, str(numbers), reason=reason)


def _listed(values: Sequence[str]) -> str:
    shown = [v if re.search(r"\w", v) else repr(v) for v in values[:8]]
    return ", ".join([*shown, *(["…"] if len(values) > 8 else [])])


def _mapping(upper: Sequence[str]) -> dict[str, str]:
    """Words for values that are none: `READ-ONLY` -> `READ_ONLY`; empty when it cannot be told."""
    words = [re.sub(r"[^A-Z0-9]+", "_", v).strip("_") for v in upper]
    if len({*words}) < len(upper) or not all(re.match("[A-Z]", w) for w in words):
        return {}
    return {v: w for v, w in zip(upper, words, strict=True) if v != w}


def _back(values: Sequence[str], mapping: Mapping[str, str], *, native: bool) -> dict[str, str]:
    """The old spelling of the values that the new ones, in lower case, do not give back."""
    if native and all(v == v.upper() for v in values):
        return {}
    back: dict[str, str] = {}
    for value in values:
        back.setdefault(mapping.get(value.upper(), value.upper()), value)
    sources = {new: old for old, new in reversed([*mapping.items()])}
    return {new: old for new, old in back.items() if old != sources.get(new, new).lower()}


def _may_be_enum(table: Relation, column: Column, values: Sequence[str]) -> bool:
    """Whether a text that nothing guards may be an enum's, by its keys, its name, its values."""
    in_key = any(
        column.name in k.columns
        and (k.kind == "f" or (k.kind in "pu" and k.columns == (column.name,)))
        for k in table.constraints
    )
    return not in_key and _is_enum_s(column.name, values)


def _is_word(value: str) -> bool:
    return re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", value) is not None


def _is_enum_s(name: str, values: Sequence[str]) -> bool:
    """Whether neither a name nor its values speak of ids, digests, keys or free text."""
    last = (words_of(name) or [""])[-1].lower()
    if last in _NO_ENUM or singular(last) in _NO_ENUM:
        return False
    if any(re.fullmatch(r"[0-9a-fA-F]{8,}", v) and re.search(r"\d", v) for v in values):
        return False
    # `task1`, `task2`: names that are counted.
    return len({re.sub(r"\d+", "", v) for v in values}) > 1 or len(values) == 1


def _default_fits(column: Column, upper: Sequence[str]) -> bool:
    if column.is_array or column.default is None:
        return True
    literal = re.fullmatch(r"'((?:[^']|'')*)'::.*", column.default)
    return literal is None or literal[1].replace("''", "'").upper() in upper


def _named_alike(enum: str, table: str, column: str) -> bool:
    """`ModelStatus` for model.status, `ModelProvider` for provider."""
    parts = [w.lower() for w in re.findall(r"[A-Z][a-z0-9]*", enum)]
    wanted = [*table.split("_"), *column.split("_")]
    return bool(parts) and parts[-1] in {wanted[-1], singular(wanted[-1])}
