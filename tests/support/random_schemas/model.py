"""Random schemas as data, and the strategies that draw them; simpler ones stand first."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import strategies as st

from runner.quoting import Name, shorten
from support.random_schemas.kinds import KINDS, Kind
from support.random_schemas.things import HELD, REFUSED, WINDOW, Thing

# Odd names are normal input.
WORDS = (
    "plan",
    "Plan",
    "order",
    "two words",
    'quo"ted',
    "per%cent",
    "ünï",
    "x" * 58,
    "userRole",
    "it's $$",
    "back\\slash\nline",
)
SCHEMAS = ("public", "Other side")
ID_TYPES = ("varchar(36)", "text", "char(36)", "public.key", 'text COLLATE "C"')


@dataclass(frozen=True)
class Column:
    """A column beside the key.

    Args:
        kept: whether the new contract keeps the old value of one whose map loses something.
    """

    kind: str
    name: str
    not_null: bool
    default: bool
    indexed: str
    kept: bool = False

    @property
    def of(self) -> Kind:
        """What its kind is."""
        return KINDS[self.kind]

    @property
    def keeps(self) -> bool:
        """Whether the new contract keeps its old value in a column."""
        return self.kept and self.kind == "lossy"

    @property
    def new_name(self) -> str:
        """Its name under the new contract."""
        return shorten(self.name, " 2") if self.kind == "renamed" else self.name


@dataclass(frozen=True)
class Link:
    """A foreign key to a table of the schema, by its place; to none if it is not there."""

    to: int
    on_delete: str
    on_update: str
    deferrable: str
    validated: bool


@dataclass(frozen=True)
class Table:
    """A table.

    Args:
        key: single, composite, deferrable, or none.
        id_type: the type of its id.
        id_at: how many columns stand before its id.
        partitions: by what it is partitioned, "" when it is not.
        links: its foreign keys.
        rows: how many.
        drawn: what else it may have, by their names in things.py.
    """

    name: str
    schema: str
    columns: tuple[Column, ...]
    key: str
    id_type: str
    id_at: int
    partitions: str
    links: tuple[Link, ...]
    rows: int
    drawn: frozenset[str]

    @property
    def old(self) -> Name:
        """Its name under the old contract."""
        return Name(self.schema, self.name + "s")

    @property
    def new(self) -> Name:
        """Its name under the new contract."""
        return self.old if "same name" in self.drawn else Name(self.schema, self.name)

    @property
    def has_slot(self) -> bool:
        """Whether its key has a second column, by which it may be partitioned."""
        return self.key == "composite" or bool(self.partitions)

    @property
    def can_be_referred_to(self) -> bool:
        """Whether it has a key for others."""
        return self.key in ("single", "composite")

    @property
    def state(self) -> Column | None:
        """A column of one enum value, for what stands on values."""
        return next((c for c in self.columns if c.of.words), None)

    @property
    def native(self) -> Column | None:
        """A column of a native enum, for what uses the order of its labels."""
        return next((c for c in self.columns if c.kind == "native"), None)

    @property
    def things(self) -> dict[str, Thing]:
        """What it has of what was drawn, which not every table can have."""
        known = {**HELD, **WINDOW, **REFUSED}
        return {
            name: thing
            for name, thing in known.items()
            if name in self.drawn
            and thing.only in ("", "partitioned" if self.partitions else "plain")
            and (self.state is not None or not thing.names_values)
            and (self.native is not None or "{native}" not in thing.sql)
            and (self.can_be_referred_to or not thing.by_key)
        }


Schema = list[Table]


def references(schema: Schema, table: Table) -> list[tuple[str, Link, Table]]:
    """The foreign keys of a table: the stem of their columns, the key, what it refers to."""
    return [
        (stem, link, schema[link.to])
        for stem, link in zip(("parent", "other"), table.links, strict=False)
        if link.to < len(schema) and schema[link.to].can_be_referred_to
    ]


def is_validated(table: Table, link: Link) -> bool:
    """Whether its foreign key holds for every row; of a partitioned table it must."""
    return link.validated or table.partitions != ""


def columns() -> st.SearchStrategy[tuple[Column, ...]]:
    """Columns of a table."""
    column = st.builds(
        Column,
        kind=st.sampled_from([*KINDS]),
        name=st.sampled_from(WORDS),
        not_null=st.booleans(),
        default=st.booleans(),
        indexed=st.sampled_from(["", "plain", "partial", "covering", "unique", "function"]),
        kept=st.booleans(),
    )
    return st.lists(column, max_size=4, unique_by=lambda c: c.name).map(tuple)


def links() -> st.SearchStrategy[Link]:
    """Foreign keys; those to later tables and to the table itself make cycles."""
    actions = ["NO ACTION", "CASCADE", "SET NULL", "RESTRICT"]
    return st.builds(
        Link,
        to=st.integers(0, 2),
        on_delete=st.sampled_from(actions),
        on_update=st.sampled_from(actions),
        deferrable=st.sampled_from(["", "DEFERRABLE", "DEFERRABLE INITIALLY DEFERRED"]),
        validated=st.booleans(),
    )


def _seldom(names: list[str]) -> st.SearchStrategy[frozenset[str]]:
    """Mostly none of them, or one."""
    few = st.sampled_from(names).map(lambda name: frozenset([name]))
    return st.integers(0, 7).flatmap(lambda n: few if n == 7 else st.just(frozenset()))


def schemas(*, only_held: bool = False) -> st.SearchStrategy[Schema]:
    """Schemas of one to three tables.

    Args:
        only_held: draw nothing that needs a window or is refused.
    """
    drawn = st.frozensets(st.sampled_from([*HELD]), max_size=5)
    if not only_held:
        more = st.tuples(_seldom([*WINDOW]), _seldom([*REFUSED]))
        drawn = st.tuples(drawn, more).map(lambda both: both[0].union(*both[1]))
    table = st.builds(
        Table,
        name=st.sampled_from(WORDS),
        schema=st.sampled_from([SCHEMAS[0], SCHEMAS[0], SCHEMAS[1]]),
        columns=columns(),
        key=st.sampled_from(["single", "single", "composite", "deferrable", "none"]),
        id_type=st.sampled_from([*ID_TYPES]),
        id_at=st.integers(0, 2),
        partitions=st.sampled_from(["", "", "", "", "range", "list", "hash", "levels"]),
        links=st.lists(links(), max_size=2).map(tuple),
        rows=st.integers(0, 12),
        drawn=drawn,
    )
    return st.lists(table, min_size=1, max_size=3, unique_by=lambda t: t.old)
