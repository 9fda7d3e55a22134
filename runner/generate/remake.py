"""What the rollback of contract makes again: the old side of a table, in its old order."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property

from runner.catalog import Column
from runner.generate.columns import short_type
from runner.generate.model import CheckChange, ForeignKeyChange, IndexChange
from runner.generate.predicates import restate
from runner.generate.unit import UnitView
from runner.generate.view import TableView
from runner.quoting import Name, quote_ident, quote_name, shorten


class Remake:
    """The columns from the first converted one on, and all that stands on them.

    PostgreSQL adds columns at a table's end, so the unconverted ones behind the first converted one
    are made again too.
    """

    def __init__(self, table: TableView, unit: UnitView) -> None:
        self._table = table
        self._unit = frozenset(t.new for t in unit.tables)

    @cached_property
    def moved(self) -> tuple[str, ...]:
        """The unconverted columns that the rollback of contract makes again."""
        return tuple(c.name for c in self._table.change.moved)

    @property
    def keeps_order(self) -> bool:
        """Whether the old columns come back to their old places."""
        columns = [c.name for c in self._table.relation.columns]
        remade = {*self.moved, *self._table.converted}
        first = next((i for i, name in enumerate(columns) if name in remade), len(columns))
        return all(name in remade for name in columns[first:])

    def new_name(self, column: str) -> str:
        """The name of a new column while its old one is made again."""
        return shorten(column, "__new")

    def moved_name(self, column: str) -> str:
        """The name of an unconverted column while it is made again."""
        return shorten(column, "__moved")

    @property
    def columns(self) -> list[tuple[str, str]]:
        """Each column that is made again, in the old order: its name and its type."""
        return [
            (c.name, self._type(c) + _generation(c))
            for c in self._table.relation.columns
            if self._is_remade([c.name])
        ]

    def _type(self, column: Column) -> str:
        if change := self._table.converted.get(column.name):
            return change.old_definition
        collation = f" COLLATE {column.collation}" if column.collation else ""
        return short_type(column.type) + collation

    @property
    def generated(self) -> list[str]:
        """The generated columns that are made again."""
        return [c.name for c in self._table.change.moved if c.generated]

    @property
    def plain(self) -> list[str]:
        """The other unconverted columns that are made again."""
        return [c for c in self.moved if c not in self.generated]

    @property
    def updated(self) -> list[tuple[str, str]]:
        """The columns that generated ones use, which no ALTER TYPE may touch: name, source."""
        return [(name, source) for name, _, source in self._filled if name in self._used]

    @property
    def rewritten(self) -> list[tuple[str, str, str]]:
        """The columns that one rewrite fills: name, type, source."""
        return [column for column in self._filled if column[0] not in self._used]

    @cached_property
    def _used(self) -> set[str]:
        return {name for c in self._table.change.moved for name in c.uses}

    @property
    def _filled(self) -> list[tuple[str, str, str]]:
        columns = []
        for column in self._table.relation.columns:
            change = self._table.converted.get(column.name)
            if change:
                kept = quote_ident(change.kept) if change.kept else None
                source = change.old_from(quote_ident(self.new_name(column.name)), kept)
                columns.append((column.name, self._type(column), source))
            elif column.name in self.moved and not column.generated:
                source = quote_ident(self.moved_name(column.name))
                columns.append((column.name, self._type(column), source))
        return columns

    @property
    def sequence_defaults(self) -> list[str]:
        """The columns whose default takes a sequence's next value, whatever its name is now."""
        return [c.name for c in self._table.change.moved if _takes_next_value(c)]

    def _is_remade(self, columns: Iterable[str]) -> bool:
        return any(c in self.moved or c in self._table.converted for c in columns)

    def remakes(self, columns: Iterable[str]) -> bool:
        """Whether one of the unconverted columns is made again."""
        return self._is_moved(columns)

    def _is_moved(self, columns: Iterable[str]) -> bool:
        return any(c in self.moved for c in columns)

    @property
    def dropped(self) -> list[tuple[str, str]]:
        """What the rollback of contract drops before it makes the columns again: kind and name."""
        found = []
        for k in self._table.relation.constraints:
            if k.kind == "f" and self._is_moved(k.columns) and not self._table.converts(k.columns):
                found.append(("constraint", k.name))
        for i in self._table.indexes:
            if i.converted and (i.constraint or self._is_moved(i.columns)):
                found.append(("constraint" if i.constraint else "index", i.name))
            elif not i.converted and self._is_moved(i.columns):
                found.append(("constraint" if i.constraint else "index", i.old_name))
        for k in self._table.relation.constraints:
            if k.kind == "c" and self._is_moved(k.columns) and not self._table.converts(k.columns):
                found.append(("constraint", k.name))
        return found + [("constraint", k.build_name) for k in self.moved_checks]

    @property
    def moved_checks(self) -> list[CheckChange]:
        """The new contract's CHECKs over several columns that must be made again."""
        return [k for k in self._table.change.checks if self._is_moved(k.columns)]

    @property
    def clauses(self) -> list[str]:
        """The clauses that give the columns that were made again what they had."""
        clauses = []
        for column in self._table.relation.columns:
            name = quote_ident(column.name)
            if column.not_null and self._is_remade([column.name]):
                clauses.append(f"ALTER COLUMN {name} SET NOT NULL")
            if (
                column.name in self._table.converted
                and self._table.converted[column.name].new_type == "uuid"
            ):
                clauses += [
                    f"ALTER COLUMN {name} {s}" for s in self._table.converted[column.name].storage
                ]
            if (
                column.default is not None
                and column.name in self.moved
                and not _takes_next_value(column)
            ):
                clauses.append(f"ALTER COLUMN {name} SET DEFAULT {column.default}")
        for k in self._table.relation.constraints:
            if k.kind in "puxc" and self._is_remade(k.columns):
                clauses.append(f"ADD CONSTRAINT {quote_ident(k.name)} {restate(k.definition)}")
        for column_name, check_name, check in self._table.change.integer_checks:
            if column_name in self.moved:
                clauses.append(f"ADD CONSTRAINT {quote_ident(check_name)} CHECK ({check})")
        clauses += [
            self.add_fkey(k, k.old_name) for k in self._moved_fkeys if k not in self.leaving
        ]
        return clauses

    @property
    def _moved_fkeys(self) -> list[ForeignKeyChange]:
        """The unconverted foreign keys on columns that are made again."""
        keys = self._table.change.foreign_keys
        return [k for k in keys if not k.converted and self._is_moved(k.columns)]

    @property
    def leaving(self) -> list[ForeignKeyChange]:
        """Those of them that refer to a table of another unit: it has its old or its new name."""
        return [k for k in self._moved_fkeys if k.references not in self._unit]

    @staticmethod
    def add_fkey(key: ForeignKeyChange, name: str) -> str:
        """The clause that adds a foreign key under a name."""
        return (
            f"ADD CONSTRAINT {quote_ident(name)} FOREIGN KEY ({key.listed(key.columns)})"
            f" REFERENCES {quote_name(key.references)}"
            f" ({key.listed(key.referenced_columns)}){key.options}"
        )

    @property
    def old_keys(self) -> list[IndexChange]:
        """The old contract's keys on columns that were made again."""
        return [i for i in self._table.indexes if i.constraint and self._is_remade(i.columns)]

    @property
    def old_indexes(self) -> list[IndexChange]:
        """The old contract's indexes on columns that were made again."""
        return [
            i for i in self._table.indexes if i.constraint is None and self._is_remade(i.columns)
        ]

    @property
    def new_indexes(self) -> list[IndexChange]:
        """The new contract's indexes that must be built again beside the old ones."""
        return [
            i
            for i in self._table.indexes
            if i.converted and (i.constraint or self._is_moved(i.columns))
        ]

    @property
    def kept_indexes(self) -> list[IndexChange]:
        """The new contract's indexes that stay."""
        made = {i.name for i in self.new_indexes}
        return [i for i in self._table.converted_indexes if i.name not in made]

    @property
    def referring(self) -> list[ForeignKeyChange]:
        """The foreign keys of the new contract that rest on columns that are made again."""
        new = self._table.new
        return [
            k
            for k in self._table.all_foreign_keys
            if (k.references == new and self._is_remade(k.referenced_columns) and k.converted)
            or (k.table == new and k.converted and (self._is_moved(k.columns) or not k.validated))
        ]

    @property
    def referenced(self) -> list[str]:
        """The unconverted columns that are made again, and that keys of other tables refer to."""
        keys = [
            k
            for k in self._table.all_foreign_keys
            if k.references == self._table.new and k.table != self._table.new and not k.converted
        ]
        return [c for c in self.moved if any(c in k.referenced_columns for k in keys)]

    @property
    def settings(self) -> list[str]:
        """The statements for the old contract's indexes and CHECKs that were made again."""
        found = [
            statement
            for i in self._table.indexes
            if self._is_remade(i.columns)
            for statement in (*self._options(i), *self._table.index_settings(i, i.old_name))
        ]
        comments = [
            (k.name, k.comment)
            for k in self._table.relation.constraints
            if k.kind == "c" and self._is_remade(k.columns)
        ] + [(k.old_name, k.comment) for k in self._moved_fkeys if k not in self.leaving]
        return found + [
            self._table.constraint_comment(name, comment)
            for name, comment in comments
            if comment is not None
        ]

    def _options(self, index: IndexChange) -> list[str]:
        """The definition of a constraint does not hold the options of its index."""
        if not (index.constraint and index.options):
            return []
        name = quote_name(Name(self._table.new.schema, index.old_name))
        return [f"ALTER INDEX {name} SET ({', '.join(index.options)});"]

    @property
    def kept_not_null(self) -> list[str]:
        """The NOT NULL columns that the rollback of contract leaves in their place."""
        return [name for name in self._table.names.unconverted_not_null if name not in self.moved]

    @property
    def not_null(self) -> list[str]:
        """The NOT NULL columns that the rollback of contract makes again."""
        return [name for name in self._table.names.not_null if self._is_remade([name])]


def _generation(column: Column) -> str:
    if not column.generated:
        return ""
    kind = "VIRTUAL" if column.virtual else "STORED"
    return f" GENERATED ALWAYS AS ({column.generated}) {kind}"


def _takes_next_value(column: Column) -> bool:
    return column.default is not None and "nextval(" in column.default
