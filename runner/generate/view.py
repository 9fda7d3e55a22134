"""What the templates ask of a changed table and of a unit of tables."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TypeAlias

from runner.catalog import Constraint, Name
from runner.generate.attached import follow
from runner.generate.model import (
    ColumnChange,
    DependentChange,
    ForeignKeyChange,
    IndexChange,
    TableChange,
)
from runner.generate.partitions import Partitions
from runner.generate.predicates import check_condition, restate
from runner.quoting import quote_ident, quote_literal, quote_name, shorten


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
        self.sync = Name("trueup", shorten(self.stem, "_sync"))
        self.reversal = Name("trueup", shorten(self.stem, "_reversal"))
        self.all_foreign_keys = foreign_keys
        self.partitions = Partitions(change)
        self.with_rows = self.partitions.leaves if self.partitions.is_partitioned else [self.new]

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
        """A number from 0 to 11 for a row, spread evenly, that its conversion does not change."""
        column = self.change.anchor or self.columns[0]
        number = f"abs(hashtext({quote_ident(column.old_name)}::text) % 12)"
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
            c.not_null and (c.new_type == "uuid" or c.new_default is None) for c in self.columns
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

    # names

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
            if k.kind == "c" and not self.converts(k.columns)
        ]
        foreign_keys = [
            ("constraint", k.old_name, k.name) for k in self.change.foreign_keys if not k.converted
        ]
        taken = {name for name, _ in self.enum_checks} | {k.name for k in self.relation.constraints}
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
        """The same under the table's new name."""
        return [
            (column, follow(name, self.old.name, self.new.name), comment)
            for column, name, comment in self.old_not_nulls
        ]

    @property
    def defers(self) -> bool:
        """Whether a check of the table may wait for the end of a transaction."""
        own = (k.definition for k in self.relation.constraints)
        keys = (k.options for k in self.all_foreign_keys if self.new in (k.table, k.references))
        return any(" DEFERRABLE" in text for text in (*own, *keys))

    # window

    @property
    def _old_checks(self) -> list[Constraint]:
        return [k for k in self.relation.constraints if k.kind == "c" and self.converts(k.columns)]

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
    def window_clauses(self) -> list[str]:
        """The clauses of the one rewrite from old to new."""
        return [
            *(f"DROP CONSTRAINT {quote_ident(k.name)}" for k in self._old_checks),
            *(clause for c in self.columns for clause in _in_place(c, to_new=True)),
            *(
                f"ALTER COLUMN {quote_ident(c.kept or '')} TYPE varchar"
                f" USING {quote_ident(c.name)}::text"
                for c in self.keeping
            ),
            *(
                f"ADD CONSTRAINT {quote_ident(name)} CHECK ({check})"
                for name, check in self.enum_checks
            ),
            *(k.clause(k.name) for k in self.change.checks),
        ]

    @property
    def unwindow_clauses(self) -> list[str]:
        """The clauses of the one rewrite from new to old."""
        return [
            *(f"DROP CONSTRAINT {quote_ident(name)}" for name, _ in self.enum_checks),
            *(f"DROP CONSTRAINT {quote_ident(k.name)}" for k in self.change.checks),
            *(clause for c in self.columns for clause in _in_place(c, to_new=False)),
            *(
                f"ADD CONSTRAINT {quote_ident(k.name)} {restate(k.definition)}"
                for k in self._old_checks
                if k not in self.unproven_checks
            ),
        ]

    @property
    def unwindow_settings(self) -> list[str]:
        """The comments of the CHECKs that the rewrite from new to old adds again."""
        return [
            comment_on_constraint(self.old, k.name, k.comment)
            for k in self.relation.constraints
            if k.kind == "c"
            and k not in self.unproven_checks
            and k.comment is not None
            and self.converts(k.columns)
        ]


def not_null_name(table: str, column: str) -> str:
    """The name that PostgreSQL gives a NOT NULL constraint, without looking at other ones."""
    table_part, column_part = table, column
    while len(table_part.encode()) + len(column_part.encode()) > 53:
        if len(table_part.encode()) > len(column_part.encode()):
            table_part = table_part[:-1]
        else:
            column_part = column_part[:-1]
    return f"{table_part}_{column_part}_not_null"


def comment_on_constraint(table: Name, name: str, comment: str) -> str:
    """The statement that gives a constraint its comment."""
    return (
        f"COMMENT ON CONSTRAINT {quote_ident(name)} ON {quote_name(table)}"
        f" IS {quote_literal(comment)};"
    )


def _in_place(column: ColumnChange, *, to_new: bool) -> list[str]:
    name = quote_ident(column.name)
    type_name = column.new_type if to_new else column.old_definition
    kept = quote_ident(column.kept) if column.kept else None
    value = column.new_from(name) if to_new else column.old_from(name, kept)
    default = column.new_default if to_new else column.old_default
    clauses = [f"ALTER COLUMN {name} TYPE {type_name} USING {value}"]
    if type_name != "uuid":
        clauses += [f"ALTER COLUMN {name} {storage}" for storage in column.storage]
    if default is not None:
        clauses.insert(0, f"ALTER COLUMN {name} DROP DEFAULT")
        clauses.append(f"ALTER COLUMN {name} SET DEFAULT {default}")
    return clauses


# A child and its column, and the key at the root of it.
Reference: TypeAlias = tuple[TableView, ColumnChange, TableView, ColumnChange]


@dataclass(frozen=True)
class UnitView:
    """A closure of tables that converted keys tie together, as the templates see it."""

    tables: tuple[TableView, ...]
    only_window: tuple[str, ...] = ()  # why the online strategy cannot convert it
    standing: tuple[DependentChange, ...] = ()  # what stands on the tables' columns

    @property
    def defers(self) -> bool:
        """Whether a check of a table may wait for the end of a transaction."""
        return any(t.defers for t in self.tables)

    @property
    def foreign_keys(self) -> list[ForeignKeyChange]:
        """The converted foreign keys within the unit."""
        return [k for t in self.tables for k in t.change.foreign_keys if k.converted]

    @property
    def dependents(self) -> list[DependentChange]:
        """What stands on converted columns, in the order in which it can be made."""
        return [d for d in self.standing if d.is_converted]

    @property
    def stored(self) -> list[DependentChange]:
        """The materialized views among them, which are filled beside the old ones."""
        return [d for d in self.dependents if d.build]

    def remade_with(self, table: TableView) -> list[DependentChange]:
        """What must be off the columns of a table that the rollback of contract makes again.

        The table's own objects are set aside by the file itself.
        """
        moved = {c.name for c in table.change.moved}
        found: list[DependentChange] = []
        for d in self.standing:
            on_it = any(relation == table.old and c in moved for relation, c in d.uses)
            views = {x.name for x in found if x.is_view}
            if (on_it and (d.stands_alone or d.name != table.old)) or views & {
                r for r, _ in d.uses
            }:
                found.append(d)
        return found

    def drop(self, dependent: DependentChange, *, old: bool) -> str:
        """The statement that drops an object, while the tables have their old or new names."""
        host = dependent.name
        if not old and not dependent.stands_alone:
            host = next((t.new for t in self.tables if t.old == host), host)
        return dependent.drop.replace("{}", quote_name(host))

    @property
    def can_be_tried(self) -> bool:
        """Whether views in one schema can stand for all tables and views."""
        return bool(self.tried) and len(self.tried) == len(set(self.tried))

    @property
    def tried(self) -> list[str]:
        """The names of these views, in the order in which they can be made."""
        names = [t.old.name for t in self.beneath(self.dependents)]
        return names + [d.name.name for d in self.dependents if d.is_view]

    def moved(self, text: str, schema: str) -> str:
        """A definition in which views in a schema stand for the tables and views of their names."""
        names = [t.old for t in self.beneath(self.dependents)]
        names += [d.name for d in self.dependents if d.is_view]
        for name in names:
            qualified = rf"""(?<![\w."]){re.escape(quote_name(name))}(?![\w."(])"""
            text = re.sub(qualified, quote_name(Name(schema, name.name)).replace("\\", r"\\"), text)
        return text

    def beneath(self, dependents: Iterable[DependentChange]) -> list[TableView]:
        """The tables that objects stand on or belong to."""
        names = {name for d in dependents for name in d.tables}
        return [t for t in self.tables if t.old in names]

    @cached_property
    def _by_name(self) -> dict[Name, TableView]:
        return {t.new: t for t in self.tables}

    def table(self, new: Name) -> TableView:
        """The table of that new name."""
        return self._by_name[new]

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

    def references_of(self, child: TableView) -> list[Reference]:
        """The converted references of one table."""
        return [
            (child, column, *self._root(column))
            for column in child.columns
            if column.parent is not None and self._root(column)[0].keeps_spellings
        ]

    def _root(self, column: ColumnChange) -> tuple[TableView, ColumnChange]:
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
