"""A table that is looked at, and how its distances are named."""

from __future__ import annotations

from dataclasses import dataclass

from runner.catalog import Catalog, Relation
from runner.quoting import Name, shorten
from runner.standard.model import TableStandard
from runner.verify.report import Distance


@dataclass(frozen=True, slots=True)
class Verified:
    """A table that is looked at: its standard, what it is now, and where.

    Args:
        uncheckable: the CHECKs that may not be evaluated.
        prefix: what the names of trueup's own objects for it begin with.
    """

    standard: TableStandard
    relation: Relation
    catalog: Catalog
    uncheckable: frozenset[str]
    prefix: str

    @property
    def new(self) -> Name:
        """The table's name under the standard."""
        return Name(self.standard.schema, self.standard.name)

    @property
    def old_sides(self) -> dict[str, str]:
        """The columns that hold the old contract's values while both live, with their new names."""
        columns = (*self.standard.uuids, *self.standard.enums, *self.standard.json)
        present = {c.name for c in self.relation.columns}
        return {old: c for c in columns if (old := shorten(c, "__old")) in present}

    def distance(
        self, object_: str, expected: str, found: str, left_for: str | None = None
    ) -> Distance:
        """A distance of this table."""
        return Distance(self.new, object_, expected, found, left_for)

    def column(self, name: str) -> str:
        """A column as messages name it."""
        return f"column {self.relation.qualified}.{name}"
