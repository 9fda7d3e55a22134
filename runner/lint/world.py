"""What is known of the database while the files of a chain are read: tables, keys, views."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from runner.lint import tree
from runner.lint.blocks import block_text
from runner.lint.definitions import column_names, column_type

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from runner.lint.layouts import Script
    from runner.lint.steps import Step
    from runner.lint.tree import Node

_RAISES = re.compile(r"\bRAISE\s+EXCEPTION\b|\bASSERT\b|1\s*/\s*0", re.IGNORECASE)
_GUARD_NAME = re.compile(
    r"(?:^|[._])(?:require|assert|ensure|refuse|check|verify|guard)", re.IGNORECASE
)


@dataclass
class WrittenColumn:
    """A column as the files of the chain write it, and what they have done to it since.

    Args:
        definition: as it was added; None when no file shows it.
        numbered: whether it is a serial or an identity.
    """

    definition: Node | None = None
    not_null: bool = False
    numbered: bool = False
    born: Script | None = None
    renamed: bool = False
    converted: bool = False
    default_node: Node | None = None

    @property
    def default(self) -> object:
        """Its default where that is a constant; of most columns nobody asks."""
        return None if self.default_node is None else tree.constant(self.default_node)

    @cached_property
    def type(self) -> str:
        """Its type; of most columns nobody asks."""
        return "" if self.definition is None else column_type(self.definition)


@dataclass
class Constraint:
    """A constraint.

    Args:
        name: empty when the file leaves it to PostgreSQL.
        kind: PRIMARY, UNIQUE, CHECK, FOREIGN, EXCLUSION or NOTNULL.
        columns: those it covers; of a CHECK those it proves to be NOT NULL.
        validated: False for NOT VALID.
        references: the table that a foreign key points at, and its columns.
        step: the step that made it.
        mentions: all columns of a CHECK.
        written: whether the file names it.
    """

    name: str
    kind: str
    columns: tuple[str, ...]
    validated: bool
    references: tuple[str, tuple[str, ...]]
    step: Step
    script: Script
    mentions: frozenset[str] = frozenset()
    written: bool = True
    deferrable: bool = False


@dataclass
class Index:
    """An index: its leading plain columns, and whether it is partial."""

    name: str
    table: str
    columns: tuple[str, ...]
    partial: bool
    unique: bool


@dataclass
class Table:
    """A table.

    Args:
        known: True when the chain created it, so that all its columns and indexes are known.
        born: the file that created it.
        partitioned: whether it was created with PARTITION BY.
        partition_key: its columns, when it has no expression.
        rest: the partition of the rows that no other takes (DEFAULT); empty for none.
        forced_security: whether row security holds for its owner, too.
        unfilled: whether it is a materialized view made WITH NO DATA: nobody can read it.
        sure: whether all that it has, and nothing else, is what the files say.
        written: the CREATE TABLE.
        define: takes in what stands there; None when it was.
    """

    name: str
    known: bool = False
    born: Script | None = None
    partitioned: bool = False
    partition_key: tuple[str, ...] = ()
    rest: str = ""
    forced_security: bool = False
    unfilled: bool = False
    sure: bool = False
    written: Step | None = None
    define: Callable[[Table], None] | None = None
    _columns: dict[str, WrittenColumn] = field(default_factory=dict)
    _constraints: list[Constraint] = field(default_factory=list)
    _names: frozenset[str] = frozenset()

    @property
    def columns(self) -> dict[str, WrittenColumn]:
        """By name, in their order."""
        self.settle()
        return self._columns

    @columns.setter
    def columns(self, columns: dict[str, WrittenColumn]) -> None:
        self._columns = columns

    @property
    def constraints(self) -> list[Constraint]:
        """In the order in which they were made."""
        self.settle()
        return self._constraints

    @constraints.setter
    def constraints(self, constraints: list[Constraint]) -> None:
        self._constraints = constraints

    @property
    def is_bare(self) -> bool:
        """Whether nothing is known of it: a file names most tables once."""
        return self.define is None and not self._constraints

    def settle(self) -> None:
        """Take the definition in, before anything changes it."""
        if self.define is not None:
            define, self.define = self.define, None
            define(self)

    def has(self, name: str) -> bool:
        """Whether there is a column: files make it with a definition or a birth."""
        if self.define is not None and self.written is not None:
            self._names = self._names or column_names(self.written)
            return name in self._names
        column = self._columns.get(name)
        return column is not None and (
            column.definition is not None or column.born is not None or column.renamed
        )

    def may_have(self, word: str) -> bool:
        """Whether a word may stand in a constraint: of most tables nobody asks for more."""
        return self.define is None or self.written is None or self.written.may_hold(word)

    def column(self, name: str) -> WrittenColumn:
        """The column, made known by being asked for."""
        return self.columns.setdefault(name, WrittenColumn())

    def proves_not_null(self, column: str) -> bool:
        """Whether a validated constraint keeps NULL out of a column."""
        return any(
            k.validated and column in k.columns and k.kind in ("CHECK", "NOTNULL", "PRIMARY")
            for k in self.constraints
        )


@dataclass
class View:
    """A view.

    Args:
        stands_for: the table's new name, when the view has the name that the table had before.
        granted: whether grants were given to it, or copied.
        columns: their names; empty where the text does not show them all.
        moved: whether a table that it reads, or a column of one, has had another name.
    """

    name: str
    step: Step
    script: Script
    tables: frozenset[str]
    stands_for: str = ""
    granted: bool = False
    dropped: bool = False
    columns: tuple[str, ...] = ()
    moved: bool = False


@dataclass
class World:
    """The database as far as the steps so far tell.

    Args:
        indexes: by name, in the schema of their table.
        renamed: for each former name of a table, its name now.
        enum_types: native enum types that the chain created.
        functions: bodies of the functions and procedures that it created.
        steady: those that it declared immutable or stable.
        forces_security: whether row security was ever forced on a table.
    """

    tables: dict[str, Table] = field(default_factory=dict)
    views: dict[str, View] = field(default_factory=dict)
    past_views: list[View] = field(default_factory=list)
    indexes: dict[str, Index] = field(default_factory=dict)
    renamed: dict[str, str] = field(default_factory=dict)
    enum_types: set[str] = field(default_factory=set)
    new_types: dict[str, Script] = field(default_factory=dict)
    functions: dict[str, str] = field(default_factory=dict)
    steady: set[str] = field(default_factory=set)
    forces_security: bool = False
    _index_keys: dict[str, str] = field(default_factory=dict)

    def as_it_is(self) -> World:
        """The same, of which what is true of all of it stays as it is now."""
        found = object.__new__(World)
        found.__dict__.update(self.__dict__)
        return found

    def table(self, name: str) -> Table:
        """The table, made known by being asked for."""
        return self.tables.setdefault(name, Table(name))

    def add_index(self, index: Index) -> None:
        """Keep an index, in the schema of its table."""
        key = tree.beside(index.table, index.name)
        self.indexes[key] = index
        self._index_keys[index.name] = key

    def index_key(self, name: str) -> str:
        """What an index stands under in `indexes`: of a name without schema, that of any schema."""
        if name in self.indexes or (isinstance(name, tree.TableKey) and name.schema):
            return name
        return self._index_keys.get(tree.bare(name), name)

    def index(self, name: str) -> Index | None:
        """The index of a name; None when no file shows it."""
        return self.indexes.get(self.index_key(name))

    def is_read_for(self, parent: str) -> str:
        """The default partition that is read when a partition is added; empty when none is.

        A CHECK that was validated may show that none of its rows is the new one's.
        """
        rest = self.tables[parent].rest if parent in self.tables else ""
        checks = self.tables[rest].constraints if rest in self.tables else ()
        return "" if any(k.kind == "CHECK" and k.validated for k in checks) else rest

    def is_new(self, name: str, script: Script) -> bool:
        """Whether the same file created the table: nobody else can see it before it is done."""
        table = self.tables.get(name)
        return table is not None and table.born is script

    def foreign_keys(self) -> Iterator[tuple[Table, Constraint]]:
        """All foreign keys."""
        for table in self.tables.values():
            if table.is_bare:
                continue
            for constraint in table.constraints if table.may_have("references") else ():
                if constraint.kind == "FOREIGN":
                    yield table, constraint

    def primary_key(self, table: str) -> tuple[str, ...]:
        """The columns of a table's primary key."""
        for constraint in self.table(table).constraints:
            if constraint.kind == "PRIMARY":
                return constraint.columns
        return ()

    def index_covers(self, table: str, columns: tuple[str, ...]) -> bool:
        """Whether an index begins with these columns, in any order."""
        keys = [i.columns for i in self.indexes.values() if i.table == table and not i.partial]
        keys += [
            k.columns for k in self.table(table).constraints if k.kind in ("PRIMARY", "UNIQUE")
        ]
        return any(set(key[: len(columns)]) == set(columns) for key in keys)

    def may_refuse(self, step: Step) -> bool:
        """Whether a step is a guard: it can stop the file before anything is lost."""
        if step.verb == "Do":
            return _RAISES.search(block_text(step.node)) is not None
        if step.verb not in ("Call", "Select"):
            return False
        called = [tree.function_name(n) for n in tree.walk(step.node) if tree.kind(n) == "FuncCall"]
        return any(
            _RAISES.search(self.functions[name])
            if name in self.functions
            else _GUARD_NAME.search(name)
            for name in called
        ) or (step.verb == "Select" and _RAISES.search(step.statement.text) is not None)
