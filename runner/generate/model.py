"""What changes in a table: the model that both strategies render."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from runner.catalog import Column, Name, Relation


@dataclass(frozen=True, slots=True)
class Refusal:
    """Rows that cannot be converted: an SQL condition on the old column, and what is wrong."""

    condition: str
    reason: str


@dataclass(frozen=True, slots=True)
class Obstacle:
    """What keeps a table from being converted unharmed.

    Args:
        reason: it names the object.
        hint: what to do about it.
        online_only: whether the window strategy can convert the table all the same.
    """

    reason: str
    hint: str
    online_only: bool = False


@dataclass(frozen=True, slots=True)
class Parent:
    """What a converted reference refers to.

    Args:
        table: the parent's new name.
        name: the parent's column.
        old_name: the same column on the old side.
        pairs: all columns of the foreign key, each with the parent's.
    """

    table: Name
    name: str
    old_name: str
    pairs: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class ColumnChange:
    """A column that is converted: in type, in value, or in both.

    `to_new` and `to_old` are SQL expressions in which `{}` stands for the value. `kept` names the
    new column that keeps the old value, when the standard wants one.
    """

    name: str
    old_name: str
    old_type: str
    new_type: str
    to_new: str
    to_old: str
    not_null: bool
    refusals: tuple[Refusal, ...]
    old_default: str | None = None
    new_default: str | None = None
    check_name: str | None = None
    check: str | None = None
    storage: tuple[str, ...] = ()  # SET STORAGE and SET COMPRESSION, where they are not the default
    values: tuple[str, ...] = ()  # of its enum
    parent: Parent | None = None
    kept: str | None = None

    def new_from(self, value: str) -> str:
        """The new value as SQL, from SQL that gives the old one."""
        return self.to_new.replace("{}", value)

    def old_from(self, value: str, original: str | None = None) -> str:
        """The old value as SQL, from SQL that gives the new one and what was kept of the old."""
        derived = self.to_old.replace("{}", value)
        if original is None:
            return derived
        return (
            f"CASE WHEN {self.new_from(original)} = {value}"
            f" THEN {original}::{self.old_type} ELSE {derived} END"
        )


@dataclass(frozen=True, slots=True)
class IndexChange:
    """An index that is built anew on converted columns, or that only gets a new name."""

    old_name: str
    build_name: str  # while the old one lives
    name: str
    unique: bool
    method: str  # the old definition from USING on
    new_method: str  # the same for the new contract's values
    converted: bool
    constraint: str | None  # "PRIMARY KEY", "UNIQUE" or None
    columns: tuple[str, ...]
    comment: str | None = None
    constraint_comment: str | None = None
    clustered: bool = False
    replica_identity: bool = False


@dataclass(frozen=True, slots=True)
class Partition:
    """A partition of a table, at any level.

    Args:
        relation: its catalog.
        indexes: each of its indexes that is part of one of the table's, by the name of that one.
        foreign_keys: the names of its foreign keys that are part of the table's, likewise.
        referred_by: foreign keys that refer to it alone, and not to its table.
    """

    relation: Relation
    indexes: Mapping[str, IndexChange]
    foreign_keys: Mapping[str, str]
    referred_by: tuple[str, ...] = ()

    @property
    def name(self) -> Name:
        """Its name, which no strategy changes."""
        return self.relation.qualified

    @property
    def is_leaf(self) -> bool:
        """Whether it holds rows itself."""
        return self.relation.kind != "p"


@dataclass(frozen=True, slots=True)
class ForeignKeyChange:
    """A foreign key of a table of the standard: converted, or only renamed."""

    table: Name
    old_name: str
    name: str
    columns: tuple[str, ...]
    references: Name
    referenced_columns: tuple[str, ...]
    options: str  # what follows the referenced columns: MATCH, ON DELETE, DEFERRABLE ...
    converted: bool
    comment: str | None = None


@dataclass(frozen=True, slots=True)
class TableChange:
    """A table on its way from the old to the new contract."""

    old: Name
    new: Name
    relation: Relation
    columns: tuple[ColumnChange, ...]
    indexes: tuple[IndexChange, ...]
    foreign_keys: tuple[ForeignKeyChange, ...]
    unit: int
    marker: str
    renamed: Mapping[str, str] = field(default_factory=dict)  # columns that only change their name
    sequences: tuple[tuple[str, str], ...] = ()  # old name, new name
    integer_checks: tuple[tuple[str, str, str], ...] = ()  # column, name, condition
    partitions: tuple[Partition, ...] = ()  # of all levels, the deepest first

    @property
    def converted(self) -> Mapping[str, ColumnChange]:
        """The converted columns by name."""
        return {c.name: c for c in self.columns}

    @property
    def anchor(self) -> ColumnChange | None:
        """A converted column that is never null: it tells who wrote a row, and what is done."""
        return next((c for c in self.columns if c.not_null), None)

    @property
    def key(self) -> tuple[str, ...]:
        """The primary key's columns, empty when there is none."""
        key = self.relation.primary_key
        return key.columns if key else ()

    @property
    def moved(self) -> tuple[Column, ...]:
        """The unconverted columns that stand behind the first converted one.

        Rolling back contract makes them again too, so that the old physical order comes back;
        unless one of them is in a partition key, which PostgreSQL does not let go.
        """
        converted, columns = self.converted, self.relation.columns
        first = next((i for i, c in enumerate(columns) if c.name in converted), len(columns))
        moved = tuple(c for c in self.relation.columns[first:] if c.name not in converted)
        return () if any(c.name in self.partition_columns for c in moved) else moved

    @property
    def partition_columns(self) -> frozenset[str]:
        """The columns that decide in which partition a row is; they cannot be made again."""
        levels = (self.relation, *(p.relation for p in self.partitions))
        return frozenset(c for level in levels for c in level.partition_columns)
