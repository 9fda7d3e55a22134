"""A table converted in place: the clauses of the one rewrite, and of the one back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from runner.catalog import Constraint
from runner.generate.model import ColumnChange
from runner.generate.predicates import check_condition, restate
from runner.generate.statement import comment_on_constraint
from runner.quoting import quote_ident

if TYPE_CHECKING:
    from runner.generate.view import TableView


class InPlace:
    """What the window's ALTER TABLE of a table is made of."""

    def __init__(self, table: TableView) -> None:
        self._table = table
        self.old, self.relation, self.change = table.old, table.relation, table.change
        self.columns = table.columns

    @property
    def _old_checks(self) -> list[Constraint]:
        return [
            k
            for k in self.relation.constraints
            if k.kind == "c" and self._table.converts(k.columns)
        ]

    @property
    def unproven_checks(self) -> Sequence[Constraint]:
        """The old contract's CHECKs that were never validated.

        No row that breaks one can be updated, so they are added again once the old spellings are
        back.
        """
        return self.relation.unproven_checks

    def broken(self, constraint: Constraint) -> str:
        """The condition that a row breaks a CHECK."""
        return f"NOT {check_condition(constraint.definition)}"

    def restated(self, constraint: Constraint) -> str:
        """A constraint's definition under the old contract, as PostgreSQL keeps it."""
        return restate(constraint.definition)

    def comment_again(self, constraint: Constraint) -> str:
        """The statement that gives a constraint of the old table its comment again."""
        return comment_on_constraint(self.old, constraint.name, constraint.comment or "")

    @property
    def clauses(self) -> list[str]:
        """The clauses of the one rewrite from old to new."""
        return [
            *(f"DROP CONSTRAINT {quote_ident(k.name)}" for k in self._old_checks),
            *(clause for c in self.columns for clause in _in_place(c, to_new=True)),
            *(
                f"ALTER COLUMN {quote_ident(c.kept or '')} TYPE varchar"
                f" USING {quote_ident(c.name)}::text"
                for c in self._table.keeping
            ),
            *(
                f"ADD CONSTRAINT {quote_ident(name)} CHECK ({check})"
                for name, check in self._table.enum_checks
            ),
            *(k.clause(k.name) for k in self.change.checks),
        ]

    @property
    def clauses_back(self) -> list[str]:
        """The clauses of the one rewrite from new to old."""
        return [
            *(f"DROP CONSTRAINT {quote_ident(name)}" for name, _ in self._table.enum_checks),
            *(f"DROP CONSTRAINT {quote_ident(k.name)}" for k in self.change.checks),
            *(clause for c in self.columns for clause in _in_place(c, to_new=False)),
            *(
                f"ADD CONSTRAINT {quote_ident(k.name)} {restate(k.definition)}"
                for k in self._old_checks
                if k not in self.unproven_checks
            ),
        ]

    @property
    def settings_back(self) -> list[str]:
        """The comments of the CHECKs that the rewrite from new to old adds again."""
        return [
            comment_on_constraint(self.old, k.name, k.comment)
            for k in self.relation.constraints
            if k.kind == "c"
            and k not in self.unproven_checks
            and k.comment is not None
            and self._table.converts(k.columns)
        ]


def _in_place(column: ColumnChange, *, to_new: bool) -> list[str]:
    name = quote_ident(column.name)
    type_name = column.new_type if to_new else column.old_definition
    kept = quote_ident(column.kept) if column.kept else None
    value = column.new_from(name) if to_new else column.old_from(name, kept)
    default = column.new_default if to_new else column.old_default
    clauses = [f"ALTER COLUMN {name} TYPE {type_name} USING {value}"]
    if type_name != "uuid":
        clauses += [f"ALTER COLUMN {name} {storage}" for storage in column.storage]
    if column.new_default is not None or column.old_default is not None:
        clauses.insert(0, f"ALTER COLUMN {name} DROP DEFAULT")
    if default is not None:
        clauses.append(f"ALTER COLUMN {name} SET DEFAULT {default}")
    return clauses
