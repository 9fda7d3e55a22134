"""An object that stands on columns which are replaced, and its statements on old and new ones."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from runner.catalog import Dependent, Function, Relation
from runner.generate.model import Obstacle
from runner.generate.statement import Statement, taken_back
from runner.quoting import Name, one_line, quote_ident, quote_name

# Turns a definition into the words of a contract.
Reword = Callable[[str], str]

# The schemas in which it is tried what stands on the tables, as both contracts show them.
BEFORE, AFTER = "trueup_before", "trueup_after"

_AGAIN = "Drop it first, and create it again for the new contract afterwards."


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """An object on columns that are replaced, and what the words of its definition become.

    Args:
        dependent: what PostgreSQL says of it.
        host: the relation or function that it is, or the relation that it belongs to; None when
            that lies in a schema that was not read.
        new_host: the host's name under the new contract.
        tables: the tables of the standard that it stands on or belongs to, by their old names.
        uses: the relations that it names, each with a column or as such.
        used: the converted columns among these, as `schema.table.column`.
        is_on_a_view: whether it uses a view that is made again.
        can_be_tried: False when its query groups by a primary key, or stands on a view that does:
            a view of a table has no key.
        rows_of: the table of which it takes whole rows, that is, whatever columns it has.
        groups_by: the tables by whose converted primary key it groups.
        moves_with: the same of all that is made together with it, as they stand on the same views.
        words: old values that become others than they are in upper case.
        old: its definition in the words of the old contract.
        new: its definition in the words of the new one; raises StandardError when it cannot be
            told what it would mean.
    """

    dependent: Dependent
    host: Relation | Function | None
    new_host: Name
    tables: frozenset[Name]
    uses: frozenset[tuple[Name, str | None]]
    used: tuple[str, ...]
    is_on_a_view: bool
    can_be_tried: bool
    rows_of: Name | None
    groups_by: tuple[Name, ...]
    moves_with: tuple[Name, ...]
    words: Mapping[str, str]
    old: Reword
    new: Reword

    @property
    def kind(self) -> str:
        """Its kind, as the catalog calls it."""
        return self.dependent.kind

    @property
    def label(self) -> str:
        """The kind and the name, for people."""
        return one_line(self.dependent.description)

    @property
    def name(self) -> Name:
        """The name of a view or function, else of the table that it belongs to."""
        return self.dependent.host

    @property
    def relation(self) -> Relation:
        """The view that it is, or the table that it belongs to."""
        assert isinstance(self.host, Relation)
        return self.host

    @property
    def function(self) -> Function:
        """The function that it is."""
        assert isinstance(self.host, Function)
        return self.host

    @property
    def is_view(self) -> bool:
        """Whether it is a view of one or the other kind."""
        return self.kind in ("view", "materialized view")

    @property
    def stem(self) -> str:
        """What its own files and the view beside it are named after: unlike in every schema."""
        return f"{self.name.schema}_{self.name.name}"

    @property
    def on_columns(self) -> str:
        """How it comes to stand on converted columns, as the end of a sentence."""
        if self.used:
            return f"uses {self.used[0]}, which is to be converted"
        return "stands on a view of converted columns"

    def obstacle(self, problem: str, hint: str = "", *, online_only: bool = False) -> Obstacle:
        """What keeps it from being made again."""
        return Obstacle(self.label, problem, hint or _AGAIN, online_only)

    def takes_rows(self) -> Iterator[Obstacle]:
        """What keeps whole rows from being shown again: their columns change."""
        if self.rows_of:
            yield self.obstacle(f"shows whole rows of {self.rows_of}, whose columns change")

    def groups_by_keys(self) -> Iterator[Obstacle]:
        """What keeps queries that group by keys from being made together with one of them."""
        if len(self.moves_with) > 1:
            tables = " and of ".join(map(str, self.moves_with))
            yield self.obstacle(
                f"groups, or what is made with it, by the primary key of {tables}, which the new "
                "columns get one after the other",
                "Before: list behind GROUP BY each column that the query shows; it then needs no "
                "key.",
                online_only=True,
            )


@dataclass(frozen=True, slots=True)
class Beside:
    """A materialized view of the new contract, beside the old one until it takes its place.

    Args:
        name: its name until then.
        build: make it, empty.
        settle: give it its name, owner and grants once the old one is gone.
        is_filled: whether it holds data.
    """

    name: Name
    build: tuple[Statement, ...]
    settle: tuple[Statement, ...]
    is_filled: bool


@dataclass(frozen=True, slots=True)
class DependentChange:
    """An object on columns that are replaced, which is made again on the new ones, and back.

    Its statements call every table and column by its old name.

    Args:
        of: the object.
        old: make it on the old columns; undone while its table has its old name.
        new: make it on the new ones; undone while its table has its new name.
        old_query: a view's query on the old columns.
        new_query: a view's query, a policy's condition or a function, on the new columns; empty
            when there is nothing to try.
        beside: of a materialized view, the one that is filled before the old one goes.
        on_both: make it on the columns of both contracts, by what the new ones are called then;
            None where it stands on the old ones alone while both contracts live.
    """

    of: Standing
    old: tuple[Statement, ...]
    new: tuple[Statement, ...]
    old_query: str = ""
    new_query: str = ""
    beside: Beside | None = None
    on_both: Callable[[Mapping[str, str]], tuple[Statement, ...]] | None = None

    @property
    def label(self) -> str:
        """The kind and the name, for people."""
        return self.of.label

    @property
    def is_tried(self) -> bool:
        """Whether it is made on views of the tables before anything changes."""
        return bool(self.new_query) and self.of.can_be_tried

    @property
    def is_untried(self) -> bool:
        """Whether it would be, but views cannot stand for the tables."""
        return bool(self.new_query) and not self.of.can_be_tried

    def off(self, *, old: bool) -> tuple[Statement, ...]:
        """Take it off, while its table has its old or its new name."""
        return taken_back(self.old if old else self.new)


def on_table(
    o: Standing, kind: str, made: Callable[[Reword], Iterable[Statement]], condition: str = ""
) -> DependentChange:
    """What becomes of an object that belongs to a table, and is dropped from it by its name.

    Args:
        o: the object.
        kind: what SQL calls it.
        made: the statements that make it in the words of a contract.
        condition: what it asks of the new columns, where that can be tried.
    """
    old, new = (
        Statement(f"DROP {kind} {quote_ident(o.dependent.name)} ON {quote_name(host)};")
        for host in (o.name, o.new_host)
    )
    return DependentChange(
        o, with_drop(made(o.old), old), with_drop(made(o.new), new), new_query=condition
    )


def with_drop(statements: Iterable[Statement], *drop: Statement) -> tuple[Statement, ...]:
    """The statements that make an object, the first of which is undone by the object's drop."""
    first, *others = statements
    return (replace(first, undo=drop), *others)
