"""What changes in a table: the model that both strategies render."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

from runner.catalog import Relation
from runner.generate.wording.ranks import keeps_order
from runner.quoting import Name, quote_ident, shorten, unused


@dataclass(frozen=True, slots=True)
class Refusal:
    """Rows that cannot be converted: an SQL condition on the old column, and what is wrong."""

    condition: str
    reason: str


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
class Parent:
    """What a converted reference refers to.

    Args:
        table: the parent's new name.
        name: the parent's column.
        old_name: the same column on the old side.
        pairs: all columns of the foreign key, each with the parent's.
        sides: the view of the parent that shows both sides of a row, whatever their names are.
        is_sure: whether each value is one of the parent's.
    """

    table: Name
    name: str
    old_name: str
    pairs: tuple[tuple[str, str], ...]
    sides: Name
    is_sure: bool = True


@dataclass(frozen=True, slots=True)
class ColumnChange:
    """A column that is converted: in type, in value, or in both.

    `to_new` and `to_old` are SQL expressions in which `{}` stands for the value. `kept` names the
    new column that keeps the old value, when the standard wants one. `paths` are the CHECKs of a
    JSON column, of which only some values are converted.
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
    type_default: str | None = None  # what its domain gives a column that has no default
    check_name: str | None = None
    check: str | None = None
    storage: tuple[str, ...] = ()  # SET STORAGE and SET COMPRESSION, where they are not the default
    values: tuple[str, ...] = ()  # of its enum
    mapping: Mapping[str, str] = field(default_factory=dict)  # of its enum's old values
    labels: Mapping[str, str] = field(default_factory=dict)  # of its native enum, in their order
    listed: tuple[str, ...] = ()  # its old values, where a type or a CHECK lists them
    parent: Parent | None = None
    kept: str | None = None
    old_collation: str | None = None  # where it is not the default
    paths: tuple[tuple[str, str], ...] = ()  # name and condition
    folds: bool = False  # its old type takes texts for equal that are spelled in other ways
    to_old_again: str | None = None  # `to_old` of `to_new`, where that is shorter than both in turn

    # The same where the new contract may have changed another part of the value: `{was}` stands for
    # the new value before, `{kept}` for the old one.
    to_old_beside: str | None = None

    @property
    def ranked(self) -> tuple[str, ...]:
        """Its values in the order of the labels that they were; empty where some have no place.

        Of lists there is no such order: they are compared value by value.
        """
        return () if self.new_type.endswith("[]") else self._in_order

    @property
    def _in_order(self) -> tuple[str, ...]:
        values = tuple(self.labels.values())
        return values if len({*values}) == len(values) and {*values} == {*self.values} else ()

    @property
    def one_to_one(self) -> frozenset[str]:
        """The old values, in upper case, that alone become what the mapping says."""
        becomes = Counter(self.mapping.get(v.upper(), v.upper()) for v in self.listed)
        return frozenset(
            v.upper()
            for v in self.listed
            if v.upper() in self.mapping and becomes[self.mapping[v.upper()]] == 1
        )

    @property
    def sorts_anew(self) -> bool:
        """Whether its values sort otherwise than the labels did."""
        return bool(self.labels) and not (self._in_order and keeps_order(self._in_order))

    @property
    def checks(self) -> tuple[tuple[str, str], ...]:
        """The names and conditions of its CHECKs."""
        if self.check_name and self.check:
            return ((self.check_name, self.check), *self.paths)
        return self.paths

    def old_beside(self, value: str, was: str, kept: str) -> str:
        """The old value as SQL after an update by the new contract, with what it did not change."""
        if self.to_old_beside is None:
            return self.old_from(value)
        values = {"{}": value, "{was}": was, "{kept}": kept}
        return re.sub(r"\{(?:was|kept)?\}", lambda found: values[found[0]], self.to_old_beside)

    def compared(self, value: str) -> str:
        """SQL that compares as the value's spelling does; json has no operator of its own."""
        if self.folds:
            return f'{value}::text COLLATE "C"'
        return f"{value}::text" if self.old_type == "json" else value

    def meant(self, value: str) -> str:
        """SQL that compares as what the value says."""
        return f"{value}::jsonb" if self.old_type == "json" else value

    def derived_again(self, value: str) -> str:
        """The old value that the new contract derives, as SQL, from SQL of the one before."""
        if self.to_old_again is not None:
            return self.to_old_again.replace("{}", value)
        return self.old_from(self.new_from(value))

    @property
    def aside(self) -> str:
        """Its name while the old column has it for a moment."""
        return shorten(self.name, "__aside")

    @property
    def build_name(self) -> str:
        """What the new column is called until the switch."""
        return shorten(self.name, "__new")

    @property
    def no_default(self) -> str:
        """The clause after which its old side has no default, not even its domain's."""
        return "DROP DEFAULT" if self.type_default is None else "SET DEFAULT NULL"

    @property
    def old_definition(self) -> str:
        """The old type with its collation."""
        return (
            f"{self.old_type} COLLATE {self.old_collation}" if self.old_collation else self.old_type
        )

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


def one_to_one(columns: Sequence[ColumnChange]) -> frozenset[str]:
    """The old values that in all of these columns become what no other value becomes."""
    same = frozenset(v for c in columns for v in c.values)
    return frozenset(v for c in columns for v in c.one_to_one) - same
