"""What the templates ask of a changed table."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cached_property

from runner.generate.in_place import InPlace
from runner.generate.model import (
    ColumnChange,
    ForeignKeyChange,
    IndexChange,
    TableChange,
)
from runner.generate.names import Names
from runner.generate.partitions import Partitions
from runner.generate.statement import comment_on_constraint
from runner.quoting import Name, quote_ident, quote_literal, quote_name, shorten


class TableView:
    """A changed table as the templates see it."""

    def __init__(self, change: TableChange, foreign_keys: Sequence[ForeignKeyChange]) -> None:
        self.change = change
        self.old, self.new = change.old, change.new
        self.relation = change.relation
        self.columns, self.converted = change.columns, change.converted
        self.indexes, self.key = change.indexes, change.key
        self.renamed = change.renamed
        self.marker = Name("trueup", change.marker)
        self.prefix = change.prefix
        self.stem = self.prefix + self.new.name
        self.sync = Name("trueup", shorten(change.own_stem, "_sync"))
        self.reversal = Name("trueup", shorten(change.own_stem, "_reversal"))
        self.all_foreign_keys = foreign_keys
        self.partitions = Partitions(change)
        self.with_rows = self.partitions.leaves if self.partitions.is_partitioned else [self.new]
        self.names, self.in_place = Names(self), InPlace(self)

    @property
    def is_checked(self) -> bool:
        """Whether a row can keep the table from the new contract."""
        return bool(self.columns or self.change.integer_checks)

    def whole(self, name: str) -> str:
        """The table under one of its names, with what is locked together with it."""
        return f"{name} and its partitions" if self.partitions.is_partitioned else name

    def shown(self, column: str) -> str:
        """A column of the compat view: `id__old AS id`."""
        change = self.converted.get(column)
        name = quote_ident(column)
        if column in self.renamed:
            return f"{quote_ident(self.renamed[column])} AS {name}"
        return f"{quote_ident(change.old_name)} AS {name}" if change else name

    def cut_names(self, suffix: str) -> list[tuple[str, str]]:
        """The columns whose name had to be cut to take a suffix: that name and their own."""
        names = ((shorten(c.name, suffix), c.name) for c in self.relation.columns)
        return [(cut, name) for cut, name in names if cut != name + suffix]

    def is_unique(self, column: str) -> bool:
        """Whether the column alone is a key."""
        return any(i.unique and i.columns == (column,) for i in self.indexes)

    def old_side_empty(self, row: str) -> str:
        """The condition that the new contract wrote the row."""
        sides = [self.change.anchor] if self.change.anchor else self.columns
        return " AND ".join(f"{row}{quote_ident(c.old_name)} IS NULL" for c in sides)

    def unconverted(self, row: str) -> str:
        """The condition that a row's new side is not filled yet."""
        if self.change.anchor:
            return f"{row}{quote_ident(self.change.anchor.name)} IS NULL"
        return " OR ".join(
            f"{row}{quote_ident(c.old_name)} IS NOT NULL AND {row}{quote_ident(c.name)} IS NULL"
            for c in self.columns
        )

    @property
    def unconverted_rows(self) -> str:
        """The same as a condition that AND can join."""
        condition = self.unconverted("")
        return f"({condition})" if " OR " in condition else condition

    @property
    def slice(self) -> str:
        """A number from 0 to 9 for a row, spread evenly, that its conversion does not change."""
        column = self.change.anchor or self.columns[0]
        number = f"abs(hashtext({quote_ident(column.old_name)}::text) % 10)"
        return number if column.not_null else f"coalesce({number}, 0)"

    def converted_row(self, row: str) -> str:
        """The condition that a row's new side is filled."""
        if self.change.anchor:
            return f"{row}{quote_ident(self.change.anchor.name)} IS NOT NULL"
        return f"NOT ({self.unconverted(row)})"

    def derive_old(self, column: ColumnChange, row: str, indent: int, was: str = "") -> str:
        """The old value for a new one; a reference takes its parent's spelling."""
        value = f"{row}{quote_ident(column.name)}"
        if was and column.to_old_beside:
            before = f"{was}{quote_ident(column.name)}", f"{was}{quote_ident(column.old_name)}"
            return column.old_beside(value, *before)
        if column.parent is None:
            kept = f"{row}{quote_ident(column.kept)}" if column.kept else None
            return column.old_from(value, kept)
        parent = column.parent
        match = " AND ".join(
            f"p.{quote_ident(far)} = {row}{quote_ident(here)}" for here, far in parent.pairs
        )
        lookup = (
            f"(SELECT p.{quote_ident(parent.old_name)} FROM {quote_name(parent.table)} AS p"
            f" WHERE {match})"
        )
        inner, outer = "\n" + " " * (indent + 4), "\n" + " " * indent
        return f"coalesce({inner}{lookup},{inner}{column.old_from(value)}{outer})"

    @property
    def twin_keys(self) -> list[str]:
        """Each key that an index of the old and one of the new contract guard, as text."""
        found = []
        for index in self.converted_indexes:
            if index.unique:
                parts = [f"NEW.{quote_ident(c)}" for c in index.columns]
                value = parts[0] if len(parts) == 1 else f"ROW({', '.join(parts)})"
                found.append(f"{value}::text")
        return found

    @property
    def tells_moved_rows(self) -> bool:
        """Whether a row that an UPDATE moves to another partition differs from any insert.

        It comes as an insert with both sides filled. One of the old contract has on the new side
        nothing but defaults, and only constant ones can agree with its old side by chance.
        """
        return self.partitions.is_partitioned and any(
            c.not_null
            and (
                c.new_default is None
                or (c.new_type == "uuid" and not c.new_default.startswith("'"))
            )
            for c in self.columns
        )

    @property
    def looks_up(self) -> bool:
        """Whether an old spelling is looked up in a parent."""
        return any(c.parent for c in self.columns)

    # enforce

    @property
    def keeping(self) -> list[ColumnChange]:
        """The columns whose old value another column keeps."""
        return [c for c in self.columns if c.kept]

    def filled(self, column: ColumnChange) -> str:
        """The name of the CHECK that stands for NOT NULL until it is set."""
        return shorten(f"{self.new.name}_{column.name}", "_filled")

    @cached_property
    def enum_checks(self) -> list[tuple[str, str]]:
        """The CHECKs that stay: of integer enums, then of the converted ones."""
        found = [check for c in self.columns for check in c.checks]
        return [(name, check) for _, name, check in self.change.integer_checks] + found

    @cached_property
    def checks(self) -> list[tuple[str, str]]:
        """The CHECKs of enforce: those that stay, then those that stand for NOT NULL."""
        filled = [
            (self.filled(c), f"{quote_ident(c.name)} IS NOT NULL")
            for c in self.columns
            if c.not_null
        ]
        carried = [(k.build_name, k.condition[1:-1]) for k in self.change.checks]
        return self.enum_checks + carried + filled

    @property
    def proven_checks(self) -> list[str]:
        """The names of those that every row is held to."""
        unproven = {k.build_name for k in self.change.checks if not k.validated}
        return [name for name, _ in self.checks if name not in unproven]

    def carried_comments(self, table: Name, *, built: bool) -> list[str]:
        """The comments of the CHECKs over several columns, while they are built or afterwards."""
        return [
            comment_on_constraint(table, k.build_name if built else k.name, k.comment)
            for k in self.change.checks
            if k.comment is not None
        ]

    @property
    def converted_indexes(self) -> list[IndexChange]:
        """The indexes that are built on new columns."""
        return [i for i in self.indexes if i.converted]

    @property
    def respelled_indexes(self) -> list[IndexChange]:
        """The indexes that an ALTER TABLE cannot convert.

        Their definition holds values, or they are a partitioned table's: PostgreSQL would make
        those of the partitions anew under names that it thinks of.
        """
        if self.partitions.is_partitioned:
            return self.converted_indexes
        return [i for i in self.indexes if i.new_method != i.method]

    # contract and its rollback

    @cached_property
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
    def unkept(self) -> list[ColumnChange]:
        """The columns whose old spelling nothing could restore, for want of a key."""
        return [] if self.key else self.reversible

    @property
    def reversal_key(self) -> list[str]:
        """The key columns that the reversal table holds beside the reversible ones."""
        return [k for k in self.key if k not in {c.name for c in self.reversible}]

    def key_value(self, name: str) -> str:
        """A key column's new value, from the old table."""
        change = self.converted.get(name)
        column = quote_ident(name)
        return f"{change.new_from(column)} AS {column}" if change else column

    @property
    def same_key(self) -> str:
        """The condition that row `t`, spelled as derived, is the reversal table's row `r`."""
        pairs = []
        for name in self.key:
            column = quote_ident(name)
            change = self.converted.get(name)
            right = change.old_from(f"r.{column}") if change else f"r.{column}"
            pairs.append(f"t.{column} = {right}")
        return "\n    AND ".join(pairs)

    def kept_row(self, alias: str) -> str:
        """The condition that the reversal table's row holds a row of the old table as it is."""
        old, pairs = quote_ident(self.old.name), []
        for name in self.reversal_key:
            change, value = self.converted.get(name), f"{old}.{quote_ident(name)}"
            new = change.new_from(value) if change else value
            pairs.append(f"{alias}.{quote_ident(name)} = {new}")
        pairs += [
            f"{c.compared(f'{alias}.{quote_ident(c.old_name)}')} IS NOT DISTINCT FROM"
            f" {c.compared(f'{old}.{quote_ident(c.name)}')}"
            for c in self.reversible
        ]
        return " AND ".join(pairs)

    def converts(self, columns: Iterable[str]) -> bool:
        """Whether one of the columns is converted."""
        return any(c in self.converted for c in columns)

    @property
    def resting_on_key(self) -> list[ForeignKeyChange]:
        """The converted foreign keys that refer to the new primary key of a partitioned table."""
        return [
            k
            for k in self.all_foreign_keys
            if k.converted and k.references == self.new and {*k.referenced_columns} == {*self.key}
        ]

    # comments and settings of indexes

    @property
    def new_settings(self) -> list[str]:
        """The statements for the new contract's indexes, once the old ones are gone."""
        return [s for i in self.converted_indexes for s in self.index_settings(i, i.name)]

    def index_settings(
        self, index: IndexChange, name: str, relation: Name | None = None
    ) -> list[str]:
        """The statements that give an index under a name what it has beside its definition.

        Args:
            index: the index.
            name: what it is called.
            relation: its table, when that has not its new name.
        """
        relation = relation or self.new
        table, qualified, found = quote_name(relation), quote_name(Name(relation.schema, name)), []
        if index.constraint_comment is not None:
            found.append(comment_on_constraint(relation, name, index.constraint_comment))
        for place, target in index.statistics_targets:
            found.append(f"ALTER INDEX {qualified} ALTER COLUMN {place} SET STATISTICS {target};")
        if index.comment is not None:
            found.append(f"COMMENT ON INDEX {qualified} IS {quote_literal(index.comment)};")
        if index.clustered:
            found.append(f"ALTER TABLE {table} CLUSTER ON {quote_ident(name)};")
        if index.replica_identity:
            found.append(f"ALTER TABLE {table} REPLICA IDENTITY USING INDEX {quote_ident(name)};")
        return found

    def constraint_comment(self, name: str, comment: str) -> str:
        """The statement that comments on a constraint."""
        return comment_on_constraint(self.new, name, comment)

    def as_old(self, column: str) -> str:
        """A column of the old table in the old contract's own spelling."""
        change = self.converted.get(column)
        name = quote_ident(column)
        if change is None:
            return name
        return f"({change.old_from(change.new_from(name))})::{change.old_type} AS {name}"

    def as_new(self, column: str) -> str:
        """A column of the old table as the new contract will show it, under its old name."""
        change = self.converted.get(column)
        name = quote_ident(column)
        return f"({change.new_from(name)})::{change.new_type} AS {name}" if change else name

    @property
    def defers(self) -> bool:
        """Whether a check of the table may wait for the end of a transaction."""
        own = (k.definition for k in self.relation.constraints)
        keys = (k.options for k in self.all_foreign_keys if self.new in (k.table, k.references))
        return any(" DEFERRABLE" in text for text in (*own, *keys))

    # window
