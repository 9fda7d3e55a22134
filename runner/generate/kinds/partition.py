"""A partition: what its table has is made on it first, the deepest first, under its own names.

What the table makes then takes theirs in and builds nothing.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from operator import attrgetter

from runner.catalog import Catalog, Relation
from runner.generate.column_change import ColumnChange
from runner.generate.files import File
from runner.generate.kinds import index
from runner.generate.locks import brief, locked
from runner.generate.model import IndexChange, Obstacle, Partition, TableChange
from runner.generate.statement import BRIEFLY, Statement, if_there, literal_list
from runner.generate.wording.predicates import with_columns
from runner.postgres.locks import LockMode
from runner.quoting import Name, dollar_quote, quote_ident, quote_literal, quote_name, shorten

# Tells a part of an index by one of its names: the old one, the one while both live, the new one.
Naming = Callable[[IndexChange], str]

TAKES_IN = "trueup: ignore add-primary-key because it takes in the keys of the partitions"


_BEFORE = "Drop it first, and create it again for the new contract afterwards."


def change(
    root: Relation,
    changes: Sequence[ColumnChange],
    catalog: Catalog,
    taken: Mapping[str, set[str]],
) -> tuple[Partition, ...]:
    """The partitions of a table at all levels, the deepest first.

    Args:
        root: the table.
        changes: its columns that are converted.
        catalog: what knows the partitions; those of schemas that were not read are left out.
        taken: by schema, the names of its relations and indexes; those of new ones are added.
    """
    if root.kind != "p":
        return ()
    referring: dict[Name, list[str]] = defaultdict(list)
    for relation in catalog.relations.values():
        for key in relation.constraints:
            if key.references is not None and key.parent is None:
                referring[key.references].append(f"{relation.qualified}.{key.name}")
    found: list[Partition] = []
    indexes = {root.qualified: {i.name: i.name for i in root.indexes}}
    keys = {root.qualified: {k.name: k.name for k in root.constraints if k.kind == "f"}}
    above = [root]
    while above:
        children = [(parent, child) for parent in above for child in catalog.children(parent)]
        for parent, child in children:
            its_indexes, its_keys = indexes[parent.qualified], keys[parent.qualified]
            indexes[child.qualified] = {
                i.name: its_indexes[i.parent] for i in child.indexes if i.parent in its_indexes
            }
            keys[child.qualified] = {
                k.name: its_keys[k.parent] for k in child.constraints if k.parent in its_keys
            }
            built = index.change(child, child.qualified, changes, taken[child.schema])
            found.append(
                Partition(
                    relation=child,
                    indexes={
                        indexes[child.qualified][i.old_name]: i
                        for i in built
                        if i.old_name in indexes[child.qualified]
                    },
                    foreign_keys={old: name for name, old in keys[child.qualified].items()},
                    referred_by=tuple(sorted(referring[child.qualified])),
                )
            )
        above = [child for _, child in children]
    return tuple(reversed(found))


def obstacles(t: TableChange, unit: Sequence[TableChange]) -> Iterator[Obstacle]:
    """What keeps a partitioned table from being converted unharmed.

    Args:
        t: a table; one that is not partitioned has none.
        unit: the tables that are converted with it.
    """
    relation, converted = t.relation, set(t.converted)
    table = relation.qualified
    if relation.kind != "p" or not converted:
        return
    for column in sorted(converted & t.partition_columns):
        yield Obstacle(
            f"{table}.{column}",
            "is in a partition key, which can be neither converted nor dropped",
            "Leave the column out of standard.toml, or partition the table by another one before.",
        )
    read = {quote_name(p.name) for p in t.partitions}
    for level in (relation, *(p.relation for p in t.partitions)):
        for name in level.children:
            if name not in read:
                yield Obstacle(
                    name,
                    f"is a partition of {table} in a schema that was not read",
                    "Move it into the schema of its table.",
                )
    for partition in t.partitions:
        yield from _own(partition, t)
    partitioned = {c.new for c in unit if c.relation.kind == "p"}
    for key in t.foreign_keys:
        if key.converted and key.references in partitioned:
            yield Obstacle(
                f"the foreign key {key.old_name} of {table}",
                "refers from a partitioned table to a "
                "partitioned one, and PostgreSQL before 18 can add it only under a lock that waits "
                "for a scan",
                "Use the window strategy.",
                online_only=True,
            )


def _own(partition: Partition, change: TableChange) -> Iterator[Obstacle]:
    """What a partition has that its table does not have."""
    relation, converted, name = partition.relation, set(change.converted), partition.name
    if relation.kind == "f":
        yield Obstacle(
            str(name),
            "is a foreign table: its rows are on another server, and cannot be converted",
            "Detach it before, and convert its rows where they are.",
        )
        return
    for key in partition.referred_by:
        yield Obstacle(
            f"the foreign key {key}",
            f"refers to {name}, which is a partition of {change.old}",
            f"Let it refer to {change.old}, or drop it before.",
        )
    for dependent in relation.dependents:
        if dependent.column in converted and dependent.kind != "trigger":
            yield Obstacle(
                dependent.description,
                f"uses {name}.{dependent.column}, which is to be converted",
                _BEFORE,
            )
    enabled = {t.name: t.enabled for t in change.relation.triggers}
    own = [
        *(f"policy {p.name}" for p in relation.policies),
        *(f"trigger {t.name}" for t in relation.triggers if t.name not in enabled),
        *(
            f"trigger {t.name} in another state"
            for t in relation.triggers
            if enabled.get(t.name, t.enabled) != t.enabled
        ),
        *(f"statistics {s.name}" for s in relation.statistics),
        *(
            f"constraint {k.name}"
            for k in relation.constraints
            if not k.inherited and k.kind in "cfx" and converted.intersection(k.columns)
        ),
        *(
            f"index {i.name}"
            for i in relation.indexes
            if i.parent is None and converted.intersection(i.columns)
        ),
        *(
            f"default of {c.name}"
            for c in relation.columns
            if c.name in converted and c.default != _default(change.relation, c.name)
        ),
    ]
    for thing in own:
        yield Obstacle(
            f"the partition {name}", f"has the {thing}, and {change.old} does not", _BEFORE
        )


def _default(relation: Relation, column: str) -> str | None:
    found = relation.column(column)
    return found.default if found else None


def parts(t: TableChange, i: IndexChange) -> list[tuple[Partition, IndexChange]]:
    """Each partition with its part of an index, the deepest first."""
    return [(p, p.indexes[i.old_name]) for p in t.partitions if i.old_name in p.indexes]


def leaves(t: TableChange, i: IndexChange) -> list[tuple[Name, IndexChange]]:
    """Each partition that holds rows, with its part of an index."""
    return [(p.name, part) for p, part in reversed(parts(t, i)) if p.is_leaf]


# While the old one lives; under the old contract; under the new one.
build_name: Naming = attrgetter("build_name")
old_name: Naming = attrgetter("old_name")
new_name: Naming = attrgetter("name")
# What becomes the old one when contract is rolled back; the new key's second one, which stays then.
back_name: Naming = attrgetter("back_name")
again_name: Naming = attrgetter("again_name")


def key_name(part: IndexChange) -> str:
    """The name of the index that becomes a partition's primary key, until it does."""
    return shorten(part.name, "__key")


def definition(
    t: TableChange, i: IndexChange, part: IndexChange | None = None, *, new: bool = True
) -> str:
    """What follows `ADD CONSTRAINT name` for the new columns, or for the old ones beside them.

    Args:
        t: the table.
        i: its index.
        part: the index of a partition, which may lie elsewhere; None for the table itself.
        new: whether for the new contract's columns.
    """
    found = next(k.definition for k in t.relation.constraints if k.name == i.old_name)
    # Until the switch the new columns have names of their own.
    names = {c.old_name: c.name for c in t.columns} if new else t.old_names
    return index.placed(with_columns(found, names), (part or i).tablespace)


def method(t: TableChange, i: IndexChange, *, new: bool) -> str:
    """The definition from USING on, for the new columns or for the old ones beside them."""
    return i.new_method if new else with_columns(i.method, t.old_names)


def placed(t: TableChange, i: IndexChange, *, new: bool) -> str:
    """The same with the tablespace, as a statement builds it."""
    return index.placed(method(t, i, new=new), i.tablespace)


def indexes(
    t: TableChange, i: IndexChange, name: Naming, *, new: bool, beside: bool = False
) -> Iterator[Statement]:
    """Its part of an index, on each partition.

    Args:
        t: the table.
        i: its index.
        name: what the parts are called.
        new: whether for the new contract's columns.
        beside: whether both contracts live; the partitions that hold rows have theirs already.
    """
    unique = "UNIQUE " if i.unique else ""
    for p, part in parts(t, i):
        if not (beside and p.is_leaf):
            old = method(t, part, new=False) if beside else part.method
            own = index.placed(part.new_method if new else old, part.tablespace)
            yield if_there(
                p.name,
                f"\n    CREATE {unique}INDEX {quote_ident(name(part))} ON {quote_name(p.name)}"
                f" {own}\n",
            )


def constraints(
    t: TableChange,
    i: IndexChange,
    name: Naming,
    *,
    new: bool = True,
    but_leaves: bool = False,
) -> Iterator[Statement]:
    """Its part of a constraint, on each partition."""
    for p, part in parts(t, i):
        if not (but_leaves and p.is_leaf):
            yield Statement(
                f"ALTER TABLE IF EXISTS {quote_name(p.name)} ADD CONSTRAINT"
                f" {quote_ident(name(part))} {definition(t, i, part, new=new)};",
                note=TAKES_IN if but_leaves else "",
            )


def promote(
    t: TableChange, i: IndexChange, name: Naming, built: Naming, *, new: bool = True
) -> Iterator[Statement]:
    """The constraints of the partitions from the indexes that were built for them."""
    for p, part in parts(t, i):
        if p.is_leaf:
            yield Statement(
                f"ALTER TABLE IF EXISTS {quote_name(p.name)}\n"
                f"    ADD CONSTRAINT {quote_ident(name(part))} {i.constraint} USING INDEX"
                f" {quote_ident(built(part))}{i.deferral};"
            )
    yield from constraints(t, i, name, new=new, but_leaves=True)


def rename_indexes(t: TableChange, i: IndexChange, old: Naming, new: Naming) -> Iterator[Statement]:
    """Another name for its part of an index, on each partition."""
    for p, part in parts(t, i):
        name = quote_name(Name(p.name.schema, old(part)))
        yield Statement(f"ALTER INDEX IF EXISTS {name} RENAME TO {quote_ident(new(part))};")


def rename_foreign_keys(
    t: TableChange,
    key: str,
    old: str | None,
    new: str | None,
    *,
    leaves: bool = True,
    others: bool = True,
    but_own: bool = False,
) -> Iterator[Statement]:
    """Another name for its part of a foreign key, on each partition.

    Args:
        t: the table.
        key: the old name of its foreign key.
        old: what it is called; None where it has the partition's own name.
        new: what it gets; None for the partition's own name.
        leaves: whether it gets it on the partitions that hold rows.
        others: whether it gets it on those that have partitions themselves.
        but_own: whether it does not get it where what it is called is the partition's own name.
    """
    for p in t.partitions:
        if key not in p.foreign_keys or not (leaves if p.is_leaf else others):
            continue
        own = p.foreign_keys[key]
        if (old or own) != (new or own) and not (but_own and old == own):
            yield Statement(
                f"ALTER TABLE IF EXISTS {quote_name(p.name)} RENAME CONSTRAINT"
                f" {quote_ident(old or own)} TO {quote_ident(new or own)};"
            )


def require_built(t: TableChange, i: IndexChange, built: Naming, *, new: bool = True) -> Statement:
    """The refusal of a large partition that has no index of its own yet."""
    names = literal_list((built(part) for _, part in leaves(t, i)), "name")
    return Statement(
        f"CALL trueup.require_built(\n    {quote_literal(quote_name(t.new))},\n    {names},\n"
        f"    {dollar_quote(method(t, i, new=new))}\n);"
    )


def settings(t: TableChange, i: IndexChange, name: Naming, table: Name) -> Iterator[Statement]:
    """What an index has beside its definition: the one of a table of that name, and its parts."""
    yield from index.settings(i, name(i), table)
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
            *indexes(t, i, build_name, new=True, beside=True),
            Statement(
                f"CREATE {unique}INDEX {name} ON {root} {placed(t, i, new=True)};",
                undo=(Statement(f"DROP INDEX {quote_name(Name(t.new.schema, i.build_name))};"),),
            ),
        ]
    yield File(
        unlike=f"index {i.build_name} {t.new}",
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
