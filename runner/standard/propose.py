"""catalog + evidence -> a standard that a person decides on."""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from runner.catalog import Catalog, Column, Relation
from runner.quoting import Name, quote_ident
from runner.standard.evidence import Evidence, is_integer, is_text
from runner.standard.keys import Key, Verdict, tied_columns, uuid_verdicts
from runner.standard.model import LONGEST, EnumStandard
from runner.standard.naming import singular, table_names
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
_OF_MIGRATIONS = {"_yoyo_migration", "_yoyo_log", "_yoyo_version", "yoyo_lock", "alembic_version"}
_KINDS = {"v": "view", "m": "materialized view", "S": "sequence", "f": "foreign table"}


def propose(
    service: str,
    catalog: Catalog,
    evidence: Mapping[tuple[str, str, str], Evidence],
    *,
    enums: Sequence[EnumStandard] = (),
    enums_module: str | None = None,
    words: Mapping[str, str] | None = None,
) -> Proposal:
    """Propose a standard for a service.

    Args:
        service: its name.
        catalog: what its database holds; its first schema is the service's own.
        evidence: of read_evidence.
        enums: the shared enums, to recognise columns by their values.
        enums_module: the module that holds them.
        words: the user's own plurals and singulars.

    Returns:
        What is sure as entries in force with their evidence, the rest with the reason.
    """
    tables = [t for t in catalog.tables if t.name not in _OF_MIGRATIONS and not t.parents]
    ties = tied_columns(catalog)
    proposer = _Proposer(
        catalog,
        evidence,
        uuid_verdicts(tables, catalog, evidence, ties),
        list(enums),
        _taken_names(catalog),
        _new_names(tables, words),
    )
    paragraphs = [Paragraph(t, list(proposer.entries(t))) for t in tables]
    return Proposal(
        service,
        catalog.schemas[0],
        enums_module,
        {e.name: e for e in enums} | proposer.own,
        list(proposer.own),
        paragraphs,
        ties,
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
            yield f"{kind} {name}: named as tables are, would be {wanted}; trueup renames tables"


@dataclass
class _Proposer:
    catalog: Catalog
    evidence: Mapping[tuple[str, str, str], Evidence]
    uuids: Mapping[Key, Verdict]
    enums: Sequence[EnumStandard]
    taken: Mapping[Name, str]
    names: Mapping[Name, str]
    own: dict[str, EnumStandard] = field(default_factory=dict)

    @cached_property
    def wanted(self) -> Counter[Name]:
        """How many tables want a name."""
        return Counter(Name(old.schema, new) for old, new in self.names.items())

    @cached_property
    def shared(self) -> set[str]:
        """The names of the module's enums."""
        return {e.name for e in self.enums}

    def entries(self, table: Relation) -> Iterator[Entry]:
        """What is proposed for a table."""
        name = self.names[table.qualified]
        yield Entry("name", "", name, reason=self._name_in_the_way(table, name))
        rest: list[Entry] = []
        for column in table.columns:
            seen = self.evidence.get((table.schema, table.name, column.name))
            verdict = self.uuids.get((table.qualified, column.name))
            if verdict is not None:
                yield Entry("uuids", column.name, "", verdict.evidence, verdict.reason)
            elif column.name == "metadata" and column.type in {"json", "jsonb"}:
                rest.append(_metadata(table, name))
            elif seen is not None and is_integer(column):
                rest += _integers(table, column, seen)
            elif seen is not None:
                rest += self._enum(table, name, column, seen)
        yield from rest

    def _name_in_the_way(self, table: Relation, name: str) -> str:
        if name == table.name:
            return ""
        new = Name(table.schema, name)
        if table.name.lower() in _OF_TOOLS:
            return f"{table.name} is the name by which a migration tool looks for it"
        if len(name.encode()) > LONGEST:
            return f"{name} is longer than {LONGEST} bytes, choose another"
        if new in self.taken:
            return f"{name} is taken by the {self.taken[new]} of that name, choose another"
        if self.wanted[new] > 1:
            return f"{self.wanted[new]} tables want the name {name}, choose another"
        if quote_ident(name) != name and quote_ident(table.name) == table.name:
            return f"{name} is a reserved word, choose another"
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
        words = all(re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", v) for v in values)
        if not words and not seen.labels:
            return
        reason = "" if words else "its values are no plain words, a person must name them"
        if len(upper) == 1 and seen.labels and not native:
            reason = "its CHECK allows one value only, as where a table may hold one row only"
        if not reason and not _default_fits(column, upper):
            reason = f"its default {column.default} is none of its values"
        if column.default is not None and not column.gives_null and not reason:
            shown += f"; its default {column.default.partition('::')[0]} follows"
        back = _back(values, native=native)
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
            reason = reason or "it behaves as an enum, no CHECK says so"
            upper = tuple(sorted(upper))
        wanted = f"{name}_{singular(column.name) if column.is_array else column.name}"
        if named and column.type_name:
            wanted = column.type_name.name
        mapping = {} if words or column.is_array else _mapping(upper)
        if mapping:
            upper = tuple(mapping.get(v, v) for v in upper)
            back |= {v.upper(): v for v in values if v.upper() in mapping}
            back = {mapping.get(new, new): old for new, old in back.items()}
        own = self._own_enum(wanted, table.schema, upper, mapping, back)
        yield Entry("enums", column.name, own, shown, reason)

    def _own_enum(
        self,
        wanted: str,
        schema: str,
        values: tuple[str, ...],
        mapping: Mapping[str, str],
        back: Mapping[str, str],
    ) -> str:
        """The name of an enum of these values that the file holds; columns may share it."""
        camel = "".join(w[:1].upper() + w[1:] for w in re.split(r"[^A-Za-z0-9]+", wanted)) or "Enum"
        names = itertools.chain(
            (camel, schema.title() + camel), (f"{camel}{n}" for n in itertools.count(2))
        )
        for name in names:
            enum = EnumStandard(name, values, mapping, back)
            if self.own.get(name, enum) == enum and name not in self.shared:
                self.own[name] = enum
                break
        return name


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


def _back(values: Sequence[str], *, native: bool) -> dict[str, str]:
    """The old spelling of values that neither lower nor upper case gives back."""
    if all(v == v.lower() for v in values) or (native and all(v == v.upper() for v in values)):
        return {}
    back: dict[str, str] = {}
    for value in values:
        back.setdefault(value.upper(), value)
    return back


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
