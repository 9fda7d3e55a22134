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
        apart: where the new contract stands from expand until the old name goes.
        view: while both contracts live, the view that shows the one that has not the table.
    """

    standard: TableStandard
    relation: Relation
    catalog: Catalog
    uncheckable: frozenset[str]
    prefix: str
    apart: Name
    view: Relation | None = None

    @property
    def new(self) -> Name:
        """The table's name under the standard."""
        return Name(self.standard.schema, self.standard.name)

    @property
    def old(self) -> Name:
        """The table's name under the old contract."""
        return Name(self.standard.schema, self.standard.old)

    @property
    def waits_for_switch(self) -> bool:
        """Whether the new contract is there and the old one has the table still."""
        return self.view is not None and self.view.qualified == self.apart

    @property
    def shows(self) -> Relation:
        """What shows the new contract: the table, until the switch a view."""
        return self.view if self.view and self.waits_for_switch else self.relation

    @property
    def new_sides(self) -> dict[str, str]:
        """The columns of the standard that are built beside the old ones, by what each will be."""
        present = {c.name for c in self.relation.columns}
        return {c: new for c in self._converted if (new := shorten(c, "__new")) in present}

    @property
    def old_sides(self) -> dict[str, str]:
        """The columns that hold the old contract's values while both live, each with its new one.

        Until the switch it is the new ones that have a name for the while.
        """
        present = {c.name for c in self.relation.columns}
        sides = {old: c for c in self._converted if (old := shorten(c, "__old")) in present}
        return {**self.new_sides, **sides}

    @property
    def _converted(self) -> tuple[str, ...]:
        return (*self.standard.uuids, *self.standard.enums, *self.standard.json)

    def now(self, name: str) -> str:
        """What the column of that name under the standard is called now."""
        return self.new_sides.get(name, name)

    @property
    def in_step(self) -> str:
        """The name of the CHECK that proves that both sides of each row agree."""
        # Where the switch is part of expand, the table has its new name by then.
        new = shorten(self.standard.name, "_in_step")
        return new if self.relation.constraint(new) else shorten(self.standard.old, "_in_step")

    def distance(
        self, object_: str, expected: str, found: str, left_for: str | None = None
    ) -> Distance:
        """A distance of this table."""
        return Distance(self.new, object_, expected, found, left_for)

    def column(self, name: str) -> str:
        """A column as messages name it."""
        return f"column {self.relation.qualified}.{name}"
