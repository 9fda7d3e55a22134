"""A partition: what its table has is made on it first, the deepest first, under its own names.

What the table makes then takes theirs in and builds nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from runner.generate.files import File
from runner.generate.kinds import index
from runner.generate.locks import brief, locked
from runner.generate.model import IndexChange, Partition, TableChange
from runner.generate.statement import BRIEFLY, Statement, literal_list
from runner.postgres.locks import LockMode
from runner.quoting import Name, quote_ident, quote_literal, quote_name, shorten

# Tells a part of an index by one of its names: the old one, the one while both live, the new one.
Naming = Callable[[IndexChange], str]

TAKES_IN = "trueup: ignore add-primary-key because it takes in the keys of the partitions"


def parts(t: TableChange, i: IndexChange) -> list[tuple[Partition, IndexChange]]:
    """Each partition with its part of an index, the deepest first."""
    return [(p, p.indexes[i.old_name]) for p in t.partitions if i.old_name in p.indexes]


def leaves(t: TableChange, i: IndexChange) -> list[tuple[Name, IndexChange]]:
    """Each partition that holds rows, with its part of an index."""
    return [(p.name, part) for p, part in reversed(parts(t, i)) if p.is_leaf]


def build_name(part: IndexChange) -> str:
    """The name of a partition's index while the old one lives."""
    return part.build_name


def old_name(part: IndexChange) -> str:
    """The name of a partition's index under the old contract."""
    return part.old_name


def new_name(part: IndexChange) -> str:
    """The name of a partition's index under the new contract."""
    return part.name


def key_name(part: IndexChange) -> str:
    """The name of the index that becomes a partition's primary key, until it does."""
    return shorten(part.name, "__key")


def definition(t: TableChange, i: IndexChange) -> str:
    """What follows `ADD CONSTRAINT name`, the same for the old and the new columns."""
    return next(k.definition for k in t.relation.constraints if k.name == i.old_name)


def if_there(partition: Name, statement: str) -> Statement:
    """A statement for a partition that may have been dropped since."""
    return Statement(
        f"CALL trueup.if_there({quote_literal(quote_name(partition))}, $${statement}$$);"
    )


def indexes(
    t: TableChange, i: IndexChange, name: Naming, *, new: bool, but_leaves: bool = False
) -> Iterator[Statement]:
    """Its part of an index, on each partition."""
    unique = "UNIQUE " if i.unique else ""
    for p, part in parts(t, i):
        if not (but_leaves and p.is_leaf):
            method = part.new_method if new else part.method
            yield if_there(
                p.name,
                f"\n    CREATE {unique}INDEX {quote_ident(name(part))} ON {quote_name(p.name)}"
                f" {method}\n",
            )


def constraints(
    t: TableChange, i: IndexChange, name: Naming, *, but_leaves: bool = False
) -> Iterator[Statement]:
    """Its part of a constraint, on each partition."""
    for p, part in parts(t, i):
        if not (but_leaves and p.is_leaf):
            yield Statement(
                f"ALTER TABLE IF EXISTS {quote_name(p.name)} ADD CONSTRAINT"
                f" {quote_ident(name(part))} {definition(t, i)};",
                note=TAKES_IN if but_leaves else "",
            )


def promote(t: TableChange, i: IndexChange, name: Naming, built: Naming) -> Iterator[Statement]:
    """The constraints of the partitions from the indexes that were built for them."""
    timing = definition(t, i).rpartition(")")[2]
    for p, part in parts(t, i):
        if p.is_leaf:
            yield Statement(
                f"ALTER TABLE IF EXISTS {quote_name(p.name)}\n"
                f"    ADD CONSTRAINT {quote_ident(name(part))} {i.constraint} USING INDEX"
                f" {quote_ident(built(part))}{timing};"
            )
    yield from constraints(t, i, name, but_leaves=True)


def rename_indexes(t: TableChange, i: IndexChange, old: Naming, new: Naming) -> Iterator[Statement]:
    """Another name for its part of an index, on each partition."""
    for p, part in parts(t, i):
        name = quote_name(Name(p.name.schema, old(part)))
        yield Statement(f"ALTER INDEX IF EXISTS {name} RENAME TO {quote_ident(new(part))};")


def rename_foreign_keys(
    t: TableChange, key: str, old: str | None, new: str | None
) -> Iterator[Statement]:
    """Another name for its part of a foreign key, on each partition.

    Args:
        t: the table.
        key: the old name of its foreign key.
        old: what it is called; None where it has the partition's own name.
        new: what it gets; None for the partition's own name.
    """
    for p in t.partitions:
        if key not in p.foreign_keys:
            continue
        own = p.foreign_keys[key]
        if (old or own) != (new or own):
            yield Statement(
                f"ALTER TABLE IF EXISTS {quote_name(p.name)} RENAME CONSTRAINT"
                f" {quote_ident(old or own)} TO {quote_ident(new or own)};"
            )


def require_built(t: TableChange, i: IndexChange, built: Naming) -> Statement:
    """The refusal of a large partition that has no index of its own yet."""
    names = literal_list((built(part) for _, part in leaves(t, i)), "name")
    return Statement(
        f"CALL trueup.require_built(\n    {quote_literal(quote_name(t.new))},\n    {names},\n"
        f"    $${i.new_method}$$\n);"
    )


def settings(t: TableChange, i: IndexChange, name: Naming) -> Iterator[Statement]:
    """What its part of an index has beside its definition, on each partition."""
    for p, part in parts(t, i):
        for statement in index.settings(part, name(part), p.name):
            yield if_there(p.name, statement.sql)


def enforce(t: TableChange, i: IndexChange, after: Sequence[File]) -> Iterator[File]:
    """An index of a partitioned table: built on each partition, then taken in by the table's."""
    previous = after
    for table, part in leaves(t, i):
        file = index.build(t, table, part, part.build_name, previous)
        yield file
        previous = [file]
    is_constraint = i.constraint == "UNIQUE"
    what = "constraint" if is_constraint else "index"
    mode = LockMode.ACCESS_EXCLUSIVE if is_constraint else LockMode.SHARE
    root, name = quote_name(t.new), quote_ident(i.build_name)
    lock = Statement(
        f"LOCK TABLE {root} IN {mode} MODE;",
        locks=(locked(t, t.new, mode),),
        note="In the order of the clients, who lock the table before its partitions.",
    )
    if is_constraint:
        parts_first = list(promote(t, i, build_name, build_name))
        make = [
            Statement(
                f"ALTER TABLE {root} ADD CONSTRAINT {name} {definition(t, i)};",
                undo=(Statement(f"ALTER TABLE {root} DROP CONSTRAINT {name};"),),
                note=TAKES_IN,
            ),
        ]
    else:
        unique = "UNIQUE " if i.unique else ""
        parts_first = []
        make = [
            *indexes(t, i, build_name, new=True, but_leaves=True),
            Statement(
                f"CREATE {unique}INDEX {name} ON {root} {i.new_method};",
                undo=(Statement(f"DROP INDEX {quote_name(Name(t.new.schema, i.build_name))};"),),
            ),
        ]
    yield File(
        unlike=f"index {i.build_name} {t.new}",
        folder="online",
        phase="enforce",
        subject=t.prefix + i.build_name,
        title=f"Make the indexes of the partitions the {what} {i.build_name} of {t.new.name}.",
        does=f"adds the {what} {i.build_name} to {t.new.name}, which takes in those of its "
        "partitions; refuses a large partition that has none",
        held=brief(t),
        cost="builds nothing, except on small partitions that came later",
        undo="instant; drops the indexes of the partitions too, so roll their files back with it",
        body=[[BRIEFLY], [lock], [require_built(t, i, build_name)], parts_first, make],
        back=f"Drops the {what}, and with it those of the partitions: instant.",
        after=previous,
    )
