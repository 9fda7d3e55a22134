"""The names of a table's objects on their way from the old to the new contract."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from runner.generate.attached import follow
from runner.quoting import Name, quote_ident, quote_name

if TYPE_CHECKING:
    from runner.generate.view import TableView


class Names:
    """What only changes its name in a table, and the names of its NOT NULL constraints."""

    def __init__(self, table: TableView) -> None:
        self._table = table
        self.old, self.new = table.old, table.new
        self.relation, self.change = table.relation, table.change
        self.indexes, self.converted = table.indexes, table.converted

    @property
    def not_null(self) -> list[str]:
        """The columns that are NOT NULL."""
        return [c.name for c in self.relation.columns if c.not_null]

    @property
    def unconverted_not_null(self) -> list[str]:
        """The unconverted columns that are NOT NULL."""
        return [name for name in self.not_null if name not in self.converted]

    @property
    def crowded_not_null(self) -> list[str]:
        """The converted NOT NULL columns whose constraint's name PostgreSQL must cut."""
        return [
            name
            for name in self.not_null
            if name in self.converted and len(f"{self.old.name}{name}".encode()) > 53
        ]

    @property
    def contract_renames(self) -> list[tuple[str, str, str]]:
        """What only changes its name: kind, old name, new name."""
        return [
            ("index", i.old_name, i.name)
            for i in self.indexes
            if not i.converted and i.name != i.old_name
        ] + [
            *(
                ("constraint", k.build_name, k.name)
                for k in self.change.checks
                if k.build_name != k.name
            ),
            *self._constraint_renames,
        ]

    @property
    def window_renames(self) -> list[tuple[str, str, str]]:
        """What changes its name when the columns are converted in place."""
        return [
            ("index", i.old_name, i.name) for i in self.indexes if i.name != i.old_name
        ] + self._constraint_renames

    @property
    def _constraint_renames(self) -> list[tuple[str, str, str]]:
        checks = [
            ("constraint", k.name, follow(k.name, self.old.name, self.new.name))
            for k in self.relation.constraints
            if k.kind == "c" and not self._table.converts(k.columns)
        ]
        foreign_keys = [
            ("constraint", k.old_name, k.name) for k in self.change.foreign_keys if not k.converted
        ]
        taken = {name for name, _ in self._table.enum_checks} | {
            k.name for k in self.relation.constraints
        }
        taken |= {k.name for k in self.change.checks}
        return [
            (kind, old, new)
            for kind, old, new in checks + foreign_keys
            if old != new and new not in taken
        ]

    @property
    def sequence_renames(self) -> list[tuple[str, str, str]]:
        """The sequences that change their name: kind, old name, new name."""
        return [("sequence", old, new) for old, new in self.change.sequences]

    def rename(self, kind: str, table: Name, old: str, new: str) -> str:
        """The statement that renames an index, a sequence or a constraint of the table."""
        if kind != "constraint":
            qualified = quote_name(Name(table.schema, old))
            return f"ALTER {kind.upper()} {qualified} RENAME TO {quote_ident(new)};"
        return (
            f"ALTER TABLE {quote_name(table)} RENAME CONSTRAINT {quote_ident(old)}"
            f" TO {quote_ident(new)};"
        )

    @property
    def old_not_nulls(self) -> list[tuple[str, str, str | None]]:
        """The NOT NULL constraints with a name or a comment of their own: column, name, comment."""
        return [
            (k.columns[0], k.name, k.comment)
            for k in self.relation.constraints
            if k.kind == "n"
            and (k.comment is not None or k.name != not_null_name(self.old.name, k.columns[0]))
        ]

    @staticmethod
    def unnamed(columns: Iterable[str], named: Iterable[tuple[str, str, str | None]]) -> list[str]:
        """The columns whose NOT NULL has no name of its own."""
        own = {column for column, _, _ in named}
        return [c for c in columns if c not in own]

    @property
    def new_not_nulls(self) -> list[tuple[str, str, str | None]]:
        """The same under the new names of the table and its columns.

        PostgreSQL keeps the name when it renames a column, so those have one of their own.
        """
        kept = self.old_not_nulls
        own = {column for column, _, _ in kept}
        kept += [
            (column, not_null_name(self.old.name, column), None)
            for column in self.not_null
            if column in self._table.renamed and column not in own
        ]
        return [
            (
                self._table.renamed.get(column, column),
                follow(name, self.old.name, self.new.name),
                comment,
            )
            for column, name, comment in kept
        ]

    def under_new_names(self, columns: Iterable[str]) -> list[str]:
        """Columns as the new contract calls them."""
        return [self._table.renamed.get(column, column) for column in columns]


def not_null_name(table: str, column: str) -> str:
    """The name that PostgreSQL gives a NOT NULL constraint, without looking at other ones."""
    table_part, column_part = table, column
    while len(table_part.encode()) + len(column_part.encode()) > 53:
        if len(table_part.encode()) > len(column_part.encode()):
            table_part = table_part[:-1]
        else:
            column_part = column_part[:-1]
    return f"{table_part}_{column_part}_not_null"
