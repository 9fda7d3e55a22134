"""What changes in a table: the model that both strategies render."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

from runner.catalog import Relation
from runner.generate.column_change import ColumnChange
from runner.quoting import Name, quote_ident, shorten, unused


@dataclass(frozen=True, slots=True)
class Obstacle:
    """What keeps a table from being converted unharmed.

    Args:
        object: what is in the way.
        problem: what is wrong with it, as the end of a sentence that begins with the object.
        hint: what to do about it.
        online_only: whether the window strategy can convert the table all the same.
    """

    object: str
    problem: str
    hint: str
    online_only: bool = False

    @property
    def reason(self) -> str:
        """The whole sentence."""
        return f"{self.object} {self.problem}"


@dataclass(frozen=True, slots=True)
class IndexChange:
    """An index that is built anew on converted columns, or that only gets a new name.

    The last two names are those that the old index and a key's second new one have while contract
    is rolled back; empty where it is not built anew.
    """

    old_name: str
    build_name: str  # while the old one lives
    name: str
    unique: bool
    method: str  # the old definition from USING on; all of an exclusion constraint's
    new_method: str  # the same for the new contract's values
    converted: bool
    constraint: str | None  # "PRIMARY KEY", "UNIQUE", "EXCLUDE" or None
    columns: tuple[str, ...]
    comment: str | None = None
    constraint_comment: str | None = None
    clustered: bool = False
    replica_identity: bool = False
    options: tuple[str, ...] = ()
    statistics_targets: tuple[tuple[int, int], ...] = ()
    deferral: str = ""  # of a constraint: " DEFERRABLE INITIALLY DEFERRED"
    tablespace: str | None = None
    back_name: str = ""
    again_name: str = ""


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
class CheckChange:
    """A CHECK over several columns, one of them converted, which holds for the new values too."""

    old_name: str
    build_name: str  # while the old one lives
    name: str
    condition: str  # in parentheses
    columns: tuple[str, ...]
    validated: bool
    comment: str | None = None

    def clause(self, name: str) -> str:
        """The clause that adds it under a name."""
        unproven = "" if self.validated else " NOT VALID"
        return f"ADD CONSTRAINT {quote_ident(name)} CHECK {self.condition}{unproven}"


@dataclass(frozen=True, slots=True)
class ForeignKeyChange:
    """A foreign key of a table of the standard: converted, or only renamed."""

    table: Name
    old_name: str
    build_name: str  # while the old one lives
    name: str
    columns: tuple[str, ...]
    references: Name
    referenced_columns: tuple[str, ...]
    options: str  # what follows the referenced columns: MATCH, ON DELETE, NOT VALID ...
    converted: bool
    comment: str | None = None
    validated: bool = True
    temporal: bool = False  # its last column is a PERIOD

    def listed(self, columns: Sequence[str]) -> str:
        """Its columns, or those that it refers to, as the definition lists them."""
        quoted = [*map(quote_ident, columns)]
        if self.temporal:
            quoted[-1] = f"PERIOD {quoted[-1]}"
        return ", ".join(quoted)


@dataclass(frozen=True)
class TableChange:
    """A table on its way from the old to the new contract.

    Args:
        apart: where its new contract stands from expand until its old name goes: under the new
            name; if that is the old one, in the schema of transition.
        marker: the odometer's relation.
        own_stem: what the names of trueup's own objects for it begin with.
        stem: what its files are named after.
        prefix: before the names of its files.
        renamed: columns that only change their name: old, new.
        sequences: old name, new name.
        owned: the sequences that columns own and are not the identity of, each with its column.
        integer_checks: column, name, condition.
        partitions: of all levels, the deepest first.
        touching: all foreign keys of it and to it, those of tables that stay as they are too.
        looked_up: the columns of its keys by which others find their old spelling.
        at_expand: whether its switch is part of expand.
    """

    old: Name
    new: Name
    apart: Name
    relation: Relation
    columns: tuple[ColumnChange, ...]
    indexes: tuple[IndexChange, ...]
    foreign_keys: tuple[ForeignKeyChange, ...]
    unit: int
    marker: Name
    own_stem: str = ""
    stem: str = ""
    prefix: str = ""
    renamed: Mapping[str, str] = field(default_factory=dict)
    sequences: tuple[tuple[str, str], ...] = ()
    owned: tuple[tuple[Name, str], ...] = ()
    integer_checks: tuple[tuple[str, str, str], ...] = ()
    checks: tuple[CheckChange, ...] = ()
    partitions: tuple[Partition, ...] = ()
    touching: tuple[ForeignKeyChange, ...] = ()
    looked_up: tuple[str, ...] = ()
    at_expand: bool = False

    @cached_property
    def converted(self) -> Mapping[str, ColumnChange]:
        """The converted columns by name."""
        return {c.name: c for c in self.columns}

    @property
    def keeps_name(self) -> bool:
        """Whether both contracts call it by one name."""
        return self.apart.schema != self.old.schema

    @property
    def switched(self) -> TableChange:
        """The table as it is from the switch until its old name goes."""
        return replace(self, new=self.apart)

    @property
    def built_checks(self) -> Mapping[str, str]:
        """Its columns' own CHECKs, each with its name while the old columns live."""
        taken = {k.name for k in self.relation.constraints}
        names = [name for c in self.columns for name, _ in c.checks]
        free = taken | {*names}
        return {n: unused(n, "__new", free) if n in taken else n for n in names}

    @property
    def sync(self) -> Name:
        """The function that keeps both sides of a row equal until the switch."""
        return Name("trueup", shorten(self.own_stem, "_sync"))

    @property
    def sync_switched(self) -> Name:
        """The function that keeps them equal from the switch on."""
        return Name("trueup", shorten(self.own_stem, "_sync_switched"))

    @property
    def sync_back(self) -> Name:
        """The function that fills the old side while contract is rolled back."""
        return Name("trueup", shorten(self.own_stem, "_sync_back"))

    @property
    def sides(self) -> Name:
        """The view that shows both sides of its keys to those who refer to them."""
        return Name("trueup", shorten(self.own_stem, "_sides"))

    @property
    def reversal(self) -> Name:
        """The table that keeps its old spellings."""
        return Name("trueup", shorten(self.own_stem, "_reversal"))

    @property
    def forget(self) -> Name:
        """The function that forgets the old spellings of a row that is deleted."""
        return Name("trueup", shorten(self.own_stem, "_forget"))

    @property
    def is_checked(self) -> bool:
        """Whether a row can keep the table from the new contract."""
        return bool(self.columns or self.integer_checks)

    @property
    def is_partitioned(self) -> bool:
        """Whether its rows are in partitions."""
        return self.relation.kind == "p"

    @property
    def with_rows(self) -> list[Name]:
        """What holds its rows: itself, or its partitions of the lowest level."""
        if not self.is_partitioned:
            return [self.new]
        return [p.name for p in reversed(self.partitions) if p.is_leaf]

    @property
    def old_names(self) -> Mapping[str, str]:
        """What its columns are called on the old side while both contracts live."""
        return {**self.renamed, **{c.name: c.old_name for c in self.columns}}

    @property
    def converted_indexes(self) -> list[IndexChange]:
        """The indexes that are built on new columns."""
        return [i for i in self.indexes if i.converted]

    @property
    def names_operators(self) -> bool:
        """Whether one of these indexes is built by operators or functions that its text names."""
        beyond_columns = re.compile(r"\(.*\(|\bWHERE\b", re.DOTALL)
        return any(
            beyond_columns.search(method)
            for i in self.converted_indexes
            for method in (i.method, i.new_method)
        )

    @property
    def defers(self) -> bool:
        """Whether a check of the table may wait for the end of a transaction."""
        own = (k.definition for k in self.relation.constraints)
        keys = (k.options for k in self.touching)
        return any(" DEFERRABLE" in text for text in (*own, *keys))

    @property
    def reversible(self) -> list[ColumnChange]:
        """The columns whose old spelling the reversal table keeps.

        A reference has its parent's, and another column may keep it anyway.
        """
        return [
            c for c in self.columns if c.kept is None and (c.parent is None or not c.parent.is_sure)
        ]

    @property
    def keeps_spellings(self) -> bool:
        """Whether the table has a reversal table."""
        return bool(self.reversible and self.key)

    @property
    def keeping(self) -> list[ColumnChange]:
        """The columns whose old value another column keeps."""
        return [c for c in self.columns if c.kept]

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
    def partition_columns(self) -> frozenset[str]:
        """The columns that decide in which partition a row is; they cannot be made again."""
        levels = (self.relation, *(p.relation for p in self.partitions))
        return frozenset(c for level in levels for c in level.partition_columns)
