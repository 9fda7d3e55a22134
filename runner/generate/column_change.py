"""What changes in a column: how its values become new, and old again."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from runner.generate.wording.ranks import keeps_order
from runner.quoting import Name, shorten


@dataclass(frozen=True, slots=True)
class Refusal:
    """Rows that cannot be converted: an SQL condition on the old column, and what is wrong."""

    condition: str
    reason: str


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


def one_to_one(columns: Sequence[ColumnChange]) -> frozenset[str]:
    """The old values that in all of these columns become what no other value becomes."""
    same = frozenset(v for c in columns for v in c.values)
    return frozenset(v for c in columns for v in c.one_to_one) - same
