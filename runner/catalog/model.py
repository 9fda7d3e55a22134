"""PostgreSQL's catalog as frozen dataclasses."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from runner.quoting import Name, quote_ident, quote_name


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table or view."""

    name: str
    type: str
    not_null: bool
    default: str | None = None
    generated: str = ""
    virtual: bool = False  # generated when it is read, not when it is written
    uses: tuple[str, ...] = ()  # the columns that it is generated from
    identity: str = ""
    collation: str | None = None
    storage: str = ""
    has_own_storage: bool = False  # another one than its type's
    compression: str = ""
    statistics_target: int | None = None
    options: tuple[str, ...] = ()
    acl: tuple[str, ...] = ()
    comment: str | None = None
    type_name: Name | None = None  # without the array, when it is one
    is_array: bool = False
    rules: tuple[tuple[str, str], ...] = ()  # its domain's CHECKs: name, definition of VALUE
    type_default: str | None = None  # what its domain gives where the column has no default
    deterministic: bool = True  # its collation takes no two different texts for equal

    @property
    def given(self) -> str | None:
        """What a row without a value gets, as SQL: by the column's default, or its domain's."""
        return self.type_default if self.default is None else self.default

    @property
    def gives_null(self) -> bool:
        """Whether a row without a value gets null: `DEFAULT NULL` of a varchar(n) is kept too."""
        return self.given is None or re.fullmatch(r"NULL::[^']*", self.given) is not None


@dataclass(frozen=True, slots=True)
class Constraint:
    """A constraint of a table; `definition` is what follows `CONSTRAINT name`."""

    name: str
    kind: str  # p, u, f, c, x, n as in pg_constraint.contype
    definition: str
    columns: tuple[str, ...]
    validated: bool
    comment: str | None = None
    index: str | None = None
    references: Name | None = None
    referenced_columns: tuple[str, ...] = ()
    inherited: bool = False
    parent: str | None = (
        None  # of a partition: the constraint of the table above that it is part of
    )
    orders: int = 0  # of a CHECK, as a dependent's


@dataclass(frozen=True, slots=True)
class Index:
    """An index of a table."""

    name: str
    definition: str
    columns: tuple[str, ...]  # every column it mentions: keys, included, expression, predicate
    unique: bool
    valid: bool
    constraint: str | None = None
    clustered: bool = False
    replica_identity: bool = False
    comment: str | None = None
    options: tuple[str, ...] = ()
    statistics_targets: tuple[tuple[int, int], ...] = ()  # of its expressions: place, target
    not_for_uuid: tuple[str, ...] = ()  # key columns that could not be indexed so as uuid
    parent: str | None = None  # of a partition: the index of the table above that it is part of
    orders: int = 0  # in its expressions and its predicate, as a dependent's
    tablespace: str | None = None  # None for the database's

    @property
    def method(self) -> str:
        """The definition from `USING` on: the part that names neither the index nor its table."""
        quoted = False
        for position, char in enumerate(self.definition):
            if char == '"':
                quoted = not quoted
            elif not quoted and self.definition.startswith(" USING ", position):
                return self.definition[position + 1 :]
        return self.definition


@dataclass(frozen=True, slots=True)
class Trigger:
    """A trigger that a user made."""

    name: str
    definition: str
    enabled: str
    function: Name
    comment: str | None = None


@dataclass(frozen=True, slots=True)
class Policy:
    """A row security policy."""

    name: str
    command: str
    permissive: bool
    roles: tuple[str, ...]
    using: str | None
    with_check: str | None
    comment: str | None = None


@dataclass(frozen=True, slots=True)
class Rule:
    """A rewrite rule, but for the one that makes a view."""

    name: str
    definition: str
    enabled: str
    comment: str | None = None


@dataclass(frozen=True, slots=True)
class Statistics:
    """An extended statistics object."""

    schema: str
    name: str
    definition: str
    columns: tuple[str, ...]
    owner: str
    target: int | None = None
    comment: str | None = None


@dataclass(frozen=True, slots=True)
class Publication:
    """How a publication publishes a table.

    Args:
        name: the publication.
        columns: the columns it lists, empty when it publishes all.
        where: its row filter.
        uses: the columns that the list or the filter names.
    """

    name: str
    columns: tuple[str, ...] = ()
    where: str | None = None
    uses: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Dependent:
    """An object that uses a relation.

    Args:
        kind: view, materialized view, rule, policy, trigger, statistics or function.
        host: the relation or function that it is, or the relation that it belongs to.
        name: its own name when it belongs to a relation.
        description: what PostgreSQL calls it, such as `view public.v`.
        column: the column that it uses, None for the relation as such.
        groups_by: the tables, each its schema and name, by whose primary key a query in it groups
            and shows more of the row: only a table with that key allows it.
        orders: how often it uses the order of the labels of native enums: it compares them, sorts
            by them, takes the least or the greatest.
    """

    kind: str
    host: Name
    name: str
    description: str
    column: str | None
    groups_by: tuple[tuple[str, str], ...] = ()
    orders: int = 0


@dataclass(frozen=True, slots=True)
class Relation:
    """A table, view, materialized view, sequence or foreign table."""

    schema: str
    name: str
    kind: str  # r, p, v, m, S, f as in pg_class.relkind
    owner: str
    acl: tuple[str, ...] = ()
    comment: str | None = None
    options: tuple[str, ...] = ()
    persistence: str = "p"
    populated: bool = True
    tablespace: str | None = None  # None for the database's
    row_security: bool = False
    force_row_security: bool = False
    replica_identity: str = "d"
    definition: str | None = None  # of a view its query, of a sequence its options
    parents: tuple[str, ...] = ()
    children: tuple[str, ...] = ()
    partition_key: str | None = None
    partition_columns: tuple[str, ...] = ()  # that the partition key mentions
    partition_bound: str | None = None
    owned_by: str | None = None
    publications: tuple[Publication, ...] = ()
    publishes_updates: bool = False  # by any publication, also one of all tables
    hides_generated: bool = False  # has generated columns, which may identify no row
    columns: tuple[Column, ...] = ()
    constraints: tuple[Constraint, ...] = ()
    indexes: tuple[Index, ...] = ()
    triggers: tuple[Trigger, ...] = ()
    policies: tuple[Policy, ...] = ()
    rules: tuple[Rule, ...] = ()
    statistics: tuple[Statistics, ...] = ()
    dependents: tuple[Dependent, ...] = ()

    @property
    def qualified(self) -> Name:
        """The relation's schema-qualified name."""
        return Name(self.schema, self.name)

    def column(self, name: str) -> Column | None:
        """The column of that name, or None."""
        return next((c for c in self.columns if c.name == name), None)

    def constraint(self, name: str) -> Constraint | None:
        """The constraint of that name, or None."""
        return next((c for c in self.constraints if c.name == name), None)

    @property
    def primary_key(self) -> Constraint | None:
        """The primary key, or None."""
        return next((c for c in self.constraints if c.kind == "p"), None)

    @property
    def unproven_checks(self) -> tuple[Constraint, ...]:
        """The CHECKs that were never validated: a row may break them, and cannot be updated."""
        return tuple(
            k
            for k in self.constraints
            if k.kind == "c" and not k.validated and "NOT ENFORCED" not in k.definition
        )


@dataclass(frozen=True, slots=True)
class Function:
    """A function or procedure."""

    schema: str
    signature: str
    definition: str
    owner: str
    acl: tuple[str, ...]
    comment: str | None = None


@dataclass(frozen=True, slots=True)
class NamedType:
    """A native enum type, or a domain: then `labels` is empty and `definition` says what it is."""

    schema: str
    name: str
    owner: str
    labels: tuple[str, ...] = ()
    definition: str | None = None

    @property
    def spellings(self) -> tuple[str, str]:
        """What PostgreSQL calls it, where it is found by its name alone and where not."""
        return quote_ident(self.name), quote_name(Name(self.schema, self.name))


# The type in what a domain's definition says.
_BENEATH = re.compile(r'(?:"(?:[^"]|"")*"|.)+?(?= (?:DEFAULT|CHECK|NOT NULL) |$)')


@dataclass(frozen=True)
class Catalog:
    """What the chosen schemas of one database hold."""

    version: int
    schemas: tuple[str, ...]
    relations: Mapping[Name, Relation] = field(default_factory=dict)
    functions: Mapping[Name, Function] = field(default_factory=dict)
    types: Mapping[Name, NamedType] = field(default_factory=dict)

    @property
    def tables(self) -> Iterator[Relation]:
        """Ordinary and partitioned tables, in the order of their names."""
        return (r for _, r in sorted(self.relations.items()) if r.kind in "rp")

    @cached_property
    def _by_type(self) -> dict[Name, list[str]]:
        found: dict[Name, list[str]] = {}
        for relation in self.tables:
            for column in relation.columns:
                if column.type_name is not None:
                    found.setdefault(column.type_name, []).append(
                        f"{relation.qualified}.{column.name}"
                    )
        return found

    def columns_of_type(self, name: Name) -> list[str]:
        """The tables' columns that hold values of a named type, or of a relation's rows."""
        return self._by_type.get(name, [])

    def beneath_domains(self, column: Column) -> str:
        """A column's type, or that beneath its domain, however deep; an array's elements'."""
        found = column.type.removesuffix("[]")
        named = self.types.get(column.type_name) if column.type_name else None
        for _ in range(len(self.types) + 1):
            definition = named.definition if named else None
            if definition is None or (beneath := _BENEATH.match(definition)) is None:
                break
            found = beneath[0]
            named = next((t for t in self.types.values() if found in t.spellings), None)
        return found

    def children(self, relation: Relation) -> list[Relation]:
        """The partitions of a table, one level down; those of schemas not read are left out."""
        if not relation.children:
            return []
        names = {quote_name(name): found for name, found in self.relations.items()}
        return [names[child] for child in relation.children if child in names]

    def partition_columns(self, relation: Relation) -> frozenset[str]:
        """The columns that decide in which partition of a table a row is, at any level."""
        return frozenset(relation.partition_columns).union(
            *(self.partition_columns(child) for child in self.children(relation))
        )
