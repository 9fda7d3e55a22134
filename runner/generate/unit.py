"""A unit: the tables that are converted together, and what ties them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TypeAlias

from runner.generate.column_change import ColumnChange
from runner.generate.dependent import DependentChange
from runner.generate.model import ForeignKeyChange, TableChange
from runner.quoting import Name, quote_ident

# A child and its column, and the key at the root of it.
Reference: TypeAlias = tuple[TableChange, ColumnChange, TableChange, ColumnChange]


@dataclass(frozen=True)
class Unit:
    """A closure of tables that converted keys tie together."""

    tables: tuple[TableChange, ...]
    only_window: tuple[str, ...] = ()  # why the online strategy cannot convert it
    way_online: tuple[str, ...] = ()  # what would have to change for that
    dependents: tuple[DependentChange, ...] = ()  # what stands on converted columns, in their order

    @property
    def defers(self) -> bool:
        """Whether a check of a table may wait for the end of a transaction."""
        return any(t.defers for t in self.tables)

    @property
    def at_expand(self) -> bool:
        """Whether its switch is part of expand."""
        return any(t.at_expand for t in self.tables)

    @property
    def foreign_keys(self) -> list[ForeignKeyChange]:
        """The converted foreign keys within the unit."""
        return [k for t in self.tables for k in t.foreign_keys if k.converted]

    @property
    def stored(self) -> list[DependentChange]:
        """The materialized views among them, which are filled beside the old ones."""
        return [d for d in self.dependents if d.beside]

    @property
    def early(self) -> list[DependentChange]:
        """Those that are made again before the keys."""
        return [d for d in self.dependents if not d.of.moves_with]

    def late(self, t: TableChange) -> list[DependentChange]:
        """Those that are made again with a table's primary key, as a query groups by it."""
        return [d for d in self.dependents if d.of.moves_with == (t.old,)]

    def beneath(self, dependents: Iterable[DependentChange]) -> list[TableChange]:
        """The tables that objects stand on or belong to."""
        names = {name for d in dependents for name in d.of.tables}
        return [t for t in self.tables if t.old in names]

    @cached_property
    def _by_name(self) -> dict[Name, TableChange]:
        return {t.new: t for t in self.tables}

    def table(self, new: Name) -> TableChange:
        """The table of that new name."""
        return self._by_name[new]

    @cached_property
    def _places(self) -> dict[Name, int]:
        return {t.new: place for place, t in enumerate(self.tables)}

    def place(self, table: TableChange) -> int:
        """Where a table stands among those of the unit."""
        return self._places[table.new]

    def old_name(self, new: Name) -> Name:
        """The old name of a table."""
        return self.table(new).old

    def old_columns(self, new: Name, columns: Iterable[str]) -> list[str]:
        """The columns' names on the old side."""
        converted = self.table(new).converted
        return [converted[c].old_name if c in converted else c for c in columns]

    def old_options(self, key: ForeignKeyChange) -> str:
        """A foreign key's options on the old side: ON DELETE SET NULL may name columns."""
        names = dict(zip(key.columns, self.old_columns(key.table, key.columns), strict=True))
        quoted = {quote_ident(new): quote_ident(old) for new, old in names.items()}

        def convert(match: re.Match[str]) -> str:
            listed = re.findall(r'"(?:[^"]|"")+"|[^,\s]+', match[2])
            return f"{match[1]}({', '.join(quoted[name] for name in listed)})"

        return re.sub(
            r'(SET (?:NULL|DEFAULT) )\(((?:"(?:[^"]|"")+"|[^")])+)\)', convert, key.options
        )

    @property
    def references(self) -> list[Reference]:
        """Each converted reference: the child and its column, and the key at the root of it."""
        return [reference for child in self.tables for reference in self.references_of(child)]

    def references_of(self, child: TableChange) -> list[Reference]:
        """The converted references of one table."""
        return [
            (child, column, *self.root(column))
            for column in child.columns
            if column.parent is not None and self.root(column)[0].keeps_spellings
        ]

    def root(self, column: ColumnChange) -> tuple[TableChange, ColumnChange]:
        """The key that a reference refers to, through references of references."""
        seen: set[tuple[Name, str]] = set()
        parent = column.parent
        assert parent is not None
        while True:
            table = self.table(parent.table)
            column = table.converted[parent.name]
            if column.parent is None or (table.new, column.name) in seen:
                return table, column
            seen.add((table.new, column.name))
            parent = column.parent


def together(stems: Sequence[str]) -> str:
    """What a file of several tables is named after."""
    return "_and_".join(stems) if len(stems) < 3 else f"{stems[0]}_and_{len(stems) - 1}_more"


def listed(names: Iterable[str]) -> str:
    """Names as a header lists them."""
    return ", ".join(dict.fromkeys(names))
