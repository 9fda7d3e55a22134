"""What the rollback of contract makes again: the old side of a table, in its old order.

PostgreSQL adds columns at a table's end, so the unconverted ones behind the first converted one are
made again too: "moved" below.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

from runner.catalog import Column
from runner.generate.kinds import (
    check,
    column,
    foreign_key,
    index,
    not_null,
    partition,
    reversal,
    standing,
    sync,
)
from runner.generate.model import ForeignKeyChange, IndexChange, TableChange
from runner.generate.statement import (
    BRIEFLY,
    Paragraph,
    Statement,
    alter,
    comment_on_constraint,
    literal_list,
    plain,
    setting,
)
from runner.generate.unit import Unit
from runner.generate.wording.predicates import restate
from runner.generate.wording.types import short_type
from runner.quoting import Name, quote_ident, quote_literal, quote_name, shorten


def keeps_order(t: TableChange) -> bool:
    """Whether the old columns come back to their old places."""
    columns = [c.name for c in t.relation.columns]
    remade = {*(c.name for c in t.moved), *t.converted}
    first = next((i for i, name in enumerate(columns) if name in remade), len(columns))
    return all(name in remade for name in columns[first:])


@dataclass(frozen=True)
class _Remade:
    """Which columns of a table are made again, and what stands on them."""

    t: TableChange
    unit: frozenset[Name]

    @cached_property
    def moved(self) -> tuple[str, ...]:
        return tuple(c.name for c in self.t.moved)

    def moves(self, columns: Iterable[str]) -> bool:
        return any(c in self.moved for c in columns)

    def remakes(self, columns: Iterable[str]) -> bool:
        return any(c in self.moved or c in self.t.converted for c in columns)

    def converts(self, columns: Iterable[str]) -> bool:
        return any(c in self.t.converted for c in columns)

    @cached_property
    def used(self) -> frozenset[str]:
        """The columns that generated ones use, which no ALTER TYPE may touch."""
        return frozenset(name for c in self.t.moved for name in c.uses)

    def type_of(self, c: Column) -> str:
        if change := self.t.converted.get(c.name):
            return change.old_definition
        return short_type(c.type) + (f" COLLATE {c.collation}" if c.collation else "")

    def filled(self) -> Iterator[tuple[str, str, str]]:
        """The columns that are filled from others: name, type, source."""
        for c in self.t.relation.columns:
            if change := self.t.converted.get(c.name):
                kept = quote_ident(change.kept) if change.kept else None
                yield c.name, self.type_of(c), change.old_from(_new(c.name), kept)
            elif c.name in self.moved and not c.generated:
                yield c.name, self.type_of(c), _moved(c.name)

    @cached_property
    def foreign_keys(self) -> list[ForeignKeyChange]:
        """The unconverted foreign keys on columns that are made again."""
        return [k for k in self.t.foreign_keys if not k.converted and self.moves(k.columns)]

    @cached_property
    def leaving(self) -> list[ForeignKeyChange]:
        """Those of them that refer to a table of another unit: it has its old or its new name."""
        return [k for k in self.foreign_keys if k.references not in self.unit]

    @cached_property
    def referring(self) -> list[ForeignKeyChange]:
        """The foreign keys of the new contract that rest on columns that are made again."""
        return [
            k
            for k in self.t.touching
            if (k.references == self.t.new and self.remakes(k.referenced_columns) and k.converted)
            or (
                k.table == self.t.new and k.converted and (self.moves(k.columns) or not k.validated)
            )
        ]

    @cached_property
    def new_indexes(self) -> list[IndexChange]:
        """The new contract's indexes that must be built again beside the old ones."""
        return [i for i in self.t.converted_indexes if i.constraint or self.moves(i.columns)]


def _new(name: str) -> str:
    """A new column while its old one is made again."""
    return quote_ident(shorten(name, "__new"))


def _moved(name: str) -> str:
    """An unconverted column while it is made again."""
    return quote_ident(shorten(name, "__moved"))


def contract_back(t: TableChange, u: Unit, names: list[Statement]) -> list[Paragraph]:
    """The rollback of a table's last file."""
    r = _Remade(t, frozenset(x.new for x in u.tables))
    on = quote_literal(quote_name(t.new))
    first = [
        Statement(f"LOCK TABLE {quote_name(t.new)} IN ACCESS EXCLUSIVE MODE;"),
        *(index_or_sequence(t, new, old) for old, new in t.sequences),
        *standing.off(u.remade_with(t), old=False),
        *(plain(f"CALL trueup.set_aside({on});") if r.moved else []),
    ]
    found: list[Paragraph] = [
        [BRIEFLY, setting("maintenance_work_mem", "1GB")],
        foreign_key.check_at_once() if t.defers else [],
        first,
        column.rename(t, back=True),
        names,
    ]
    if not t.columns:
        return [*found, column.rename(t)]
    return [
        *found,
        *_let_go(r),
        *_columns(r),
        *_keys(r),
        *_new_side(r),
        *sync.expand(t),
        *_standing(u, t),
    ]


def index_or_sequence(t: TableChange, old: str, new: str) -> Statement:
    """Another name for a sequence of the table."""
    return Statement(
        f"ALTER SEQUENCE {quote_name(Name(t.new.schema, old))} RENAME TO {quote_ident(new)};"
    )


def _let_go(r: _Remade) -> list[Paragraph]:
    """What stands on the columns goes."""
    t, on = r.t, quote_literal(quote_name(r.t.new))
    lets_go = [foreign_key.drop(k.table, k.name) for k in r.referring]
    keys = [k for k in t.touching if k.references == t.new and k.table != t.new and not k.converted]
    referenced = [c for c in r.moved if any(c in k.referenced_columns for k in keys)]
    if referenced:
        lets_go.append(
            Statement(
                f"CALL trueup.set_references_aside(\n    {on},\n"
                f"    {literal_list(referenced, 'name')}\n);"
            )
        )
    lets_go += [_leaves(t, k) for k in r.leaving]
    for kind, name in _dropped(r):
        if kind == "constraint":
            lets_go.append(foreign_key.drop(t.new, name))
        else:
            lets_go.append(Statement(f"DROP INDEX {quote_name(Name(t.new.schema, name))};"))
    made = {i.name for i in r.new_indexes}
    kept = [i for i in t.converted_indexes if i.name not in made]
    renamed = [index.rename(t.new, i.name, i.build_name) for i in kept if i.build_name != i.name]
    renamed += [
        s
        for i in kept
        for s in partition.rename_indexes(t, i, partition.new_name, partition.build_name)
    ]
    return [lets_go, renamed]


def _leaves(t: TableChange, k: ForeignKeyChange) -> Statement:
    return Statement(
        "INSERT INTO pg_temp.aside (table_id, make_it)\n"
        "SELECT\n    k.conrelid,\n    format(\n"
        "        'ALTER TABLE %1$s ADD CONSTRAINT %2$I %3$s;'\n"
        "        'COMMENT ON CONSTRAINT %2$I ON %1$s IS %4$L',\n"
        "        k.conrelid::regclass, k.conname, pg_get_constraintdef(k.oid),\n"
        "        obj_description(k.oid, 'pg_constraint')\n    )\n"
        "FROM pg_constraint AS k\n"
        f"WHERE k.conrelid = {quote_literal(quote_name(t.new))}::regclass"
        f" AND k.conname = {quote_literal(k.old_name)};",
        note="Another unit's table may have its old name or its new one.",
    )


def _dropped(r: _Remade) -> Iterator[tuple[str, str]]:
    """What is dropped before the columns are made again: kind and name."""
    t = r.t
    for k in t.relation.constraints:
        if k.kind == "f" and r.moves(k.columns) and not r.converts(k.columns):
            yield "constraint", k.name
    for i in t.indexes:
        kind = "constraint" if i.constraint else "index"
        if i.converted and (i.constraint or r.moves(i.columns)):
            yield kind, i.name
        elif not i.converted and r.moves(i.columns):
            yield kind, i.old_name
    for k in t.relation.constraints:
        if k.kind == "c" and r.moves(k.columns) and not r.converts(k.columns):
            yield "constraint", k.name
    for carried in t.checks:
        if r.moves(carried.columns):
            yield "constraint", carried.build_name


def _columns(r: _Remade) -> list[Paragraph]:
    """The columns in their old order, filled in one rewrite; then the unusual spellings."""
    t, on = r.t, quote_literal(quote_name(r.t.new))
    note = (
        "The columns from the first converted one on are made again, so that the old order comes "
        "back."
        if keeps_order(t)
        else "The old columns are made again, behind the others: a partition key's column cannot "
        "be."
    )
    aside = column.swap(t.new, [(c.name, shorten(c.name, "__new")) for c in t.columns])
    aside += column.swap(t.new, [(name, shorten(name, "__moved")) for name in r.moved])
    aside[0] = Statement(aside[0].sql, note=note)
    added = [
        f"ADD COLUMN {quote_ident(c.name)} {r.type_of(c)}{_generation(c)}"
        for c in t.relation.columns
        if r.remakes([c.name])
    ]
    updated = [(name, source) for name, _, source in r.filled() if name in r.used]
    rewritten = [column for column in r.filled() if column[0] not in r.used]
    silence = Statement(f"CALL trueup.silence_triggers({on});")
    update: list[Statement] = []
    if updated:
        generated = [c.name for c in t.moved if c.generated]
        sets = ",\n    ".join(f"{quote_ident(name)} = {source}" for name, source in updated)
        update = [
            Statement(
                silence.sql,
                note=f"No ALTER TYPE may touch what {', '.join(map(quote_ident, generated))} "
                f"{'is' if len(generated) == 1 else 'are'} generated from.",
            ),
            Statement(f"UPDATE {quote_name(t.new)}\nSET\n    {sets};"),
        ]
    rewrite = Statement(
        alter(
            t.new,
            (
                f"ALTER COLUMN {quote_ident(name)} TYPE {type_name} USING {source}"
                for name, type_name, source in rewritten
            ),
        ),
        note="One rewrite fills the others." if updated else "One rewrite fills them all.",
    )
    copied: list[Statement] = []
    settled: list[Statement] = []
    gone: list[Statement] = []
    if r.moved:
        copied = column.copy_settings(t, "__moved")
        settled = plain(
            *(
                f"CALL trueup.copy_default({on}, {quote_literal(shorten(c.name, '__moved'))},"
                f" {quote_literal(c.name)});"
                for c in t.moved
                if _takes_next_value(c)
            )
        )
        first = [c.name for c in t.moved if c.generated]
        listed = [*first, *(name for name in r.moved if name not in first)]
        gone = plain(alter(t.new, (f"DROP COLUMN {_moved(name)}" for name in listed)))
    settled += column.copy_settings(t, "__new")
    return [
        aside,
        plain(alter(t.new, added)),
        update,
        [rewrite],
        [silence],
        reversal.restore(t, t.new),
        copied,
        settled,
        gone,
    ]


def _generation(c: Column) -> str:
    if not c.generated:
        return ""
    return f" GENERATED ALWAYS AS ({c.generated}) {'VIRTUAL' if c.virtual else 'STORED'}"


def _takes_next_value(c: Column) -> bool:
    return c.default is not None and "nextval(" in c.default


def _keys(r: _Remade) -> list[Paragraph]:
    """NOT NULLs, keys, CHECKs and indexes of the old contract."""
    t = r.t
    filled = [c.name for c in t.relation.columns if c.not_null and r.remakes([c.name])]
    old_keys = [i for i in t.indexes if i.constraint and r.remakes(i.columns)]
    old_indexes = [i for i in t.indexes if i.constraint is None and r.remakes(i.columns)]
    of_parts: list[Statement] = []
    if t.partitions:
        if filled:
            of_parts.append(
                Statement(
                    alter(t.new, (f"ALTER COLUMN {quote_ident(n)} SET NOT NULL" for n in filled)),
                    note="Before the partitions' keys, which would set it themselves and name it "
                    "after themselves.",
                )
            )
        of_parts += [s for i in old_keys for s in partition.constraints(t, i, partition.old_name)]
    clauses = list(_clauses(r))
    again = [
        s
        for i in old_indexes
        for s in (
            *partition.indexes(t, i, partition.old_name, new=False),
            index.create(i, i.old_name, t.new, new=False),
        )
    ]
    again += _settings(r)
    again += [
        s for i in [*old_keys, *old_indexes] for s in partition.settings(t, i, partition.old_name)
    ]
    return [
        of_parts,
        plain(alter(t.new, clauses)) if clauses else [],
        again,
        not_null.old_names(t, t.new, filled),
    ]


def _clauses(r: _Remade) -> Iterator[str]:
    """The clauses that give the columns that were made again what they had."""
    t = r.t
    for c in t.relation.columns:
        name, change = quote_ident(c.name), t.converted.get(c.name)
        if c.not_null and r.remakes([c.name]):
            yield f"ALTER COLUMN {name} SET NOT NULL"
        if change and change.new_type == "uuid":
            for storage in change.storage:
                yield f"ALTER COLUMN {name} {storage}"
        if c.default is not None and c.name in r.moved and not _takes_next_value(c):
            yield f"ALTER COLUMN {name} SET DEFAULT {c.default}"
    for k in t.relation.constraints:
        if k.kind in "puxc" and r.remakes(k.columns):
            yield f"ADD CONSTRAINT {quote_ident(k.name)} {restate(k.definition)}"
    for column_name, check_name, condition in t.integer_checks:
        if column_name in r.moved:
            yield f"ADD CONSTRAINT {quote_ident(check_name)} CHECK ({condition})"
    for key in r.foreign_keys:
        if key not in r.leaving:
            yield (
                f"ADD CONSTRAINT {quote_ident(key.old_name)}"
                f" FOREIGN KEY ({key.listed(key.columns)})"
                f" REFERENCES {quote_name(key.references)}"
                f" ({key.listed(key.referenced_columns)}){key.options}"
            )


def _settings(r: _Remade) -> list[Statement]:
    """What the old contract's indexes and CHECKs had beside their definitions."""
    t = r.t
    found: list[Statement] = []
    for i in t.indexes:
        if r.remakes(i.columns):
            if i.constraint and i.options:
                # The definition of a constraint does not hold the options of its index.
                name = quote_name(Name(t.new.schema, i.old_name))
                found += plain(f"ALTER INDEX {name} SET ({', '.join(i.options)});")
            found += index.settings(i, i.old_name, t.new)
    comments = [
        (k.name, k.comment)
        for k in t.relation.constraints
        if k.kind == "c" and r.remakes(k.columns)
    ] + [(k.old_name, k.comment) for k in r.foreign_keys if k not in r.leaving]
    return found + [
        comment_on_constraint(t.new, name, comment)
        for name, comment in comments
        if comment is not None
    ]


def _new_side(r: _Remade) -> list[Paragraph]:
    """The new contract beside the old one again."""
    t = r.t
    renamed = [
        s
        for c in t.columns
        for s in column.swap(t.new, [(c.name, c.old_name), (shorten(c.name, "__new"), c.name)])
    ]
    moved_checks = [k for k in t.checks if r.moves(k.columns)]
    checks: list[Paragraph] = [
        plain(f"ALTER TABLE {quote_name(t.new)} {k.clause(k.build_name)};") for k in moved_checks
    ]
    if moved_checks:
        checks[-1] = [*checks[-1], *check.comments(t, t.new, built=True)]
    built: list[Statement] = []
    for i in r.new_indexes:
        if t.is_partitioned and i.constraint == "UNIQUE":
            built += partition.constraints(t, i, partition.build_name)
            built += plain(
                f"ALTER TABLE {quote_name(t.new)} ADD CONSTRAINT {quote_ident(i.build_name)}"
                f" {partition.definition(t, i)};"
            )
        else:
            built += partition.indexes(t, i, partition.build_name, new=True)
            built.append(index.create(i, i.build_name, t.new, new=True))
    keys = [
        s
        for k in r.referring
        for s in (
            Statement(foreign_key.add(k, k.table, k.name, k.references).sql),
            *foreign_key.comment(k, k.table, k.name),
        )
    ]
    keys += plain(f"CALL trueup.put_back({quote_literal(quote_name(t.new))});")
    for k in t.foreign_keys:
        if not k.converted and r.moves(k.columns):
            keys += partition.rename_foreign_keys(t, k.old_name, k.old_name, None)
    return [renamed, column.rename(t), *checks, built, keys]


def _standing(u: Unit, t: TableChange) -> list[Paragraph]:
    """What stood on the columns stands on them again."""
    dependents = u.remade_with(t)
    return standing.on(u, dependents) if dependents else []
