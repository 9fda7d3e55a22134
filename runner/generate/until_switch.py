"""A unit as it is until the switch: tables by their old names, new columns as `c__new`.

Everything that is made for the new contract before the switch is made by these names; PostgreSQL
then renames it along.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from runner.generate.column_change import ColumnChange
from runner.generate.model import ForeignKeyChange, IndexChange, TableChange
from runner.generate.unit import Unit
from runner.generate.wording.predicates import with_columns
from runner.quoting import Name

# By the new name of a table: its old one, and what each of its converted columns is called.
_Names = Mapping[Name, tuple[Name, Mapping[str, str]]]


def until_switch(u: Unit) -> Unit:
    """The unit as it is until the switch."""
    names = {t.new: (t.old, {c.name: c.build_name for c in t.columns}) for t in u.tables}
    return replace(u, tables=tuple(_table(t, names) for t in u.tables))


def from_switch(u: Unit) -> Unit:
    """The unit as it is from the switch until its old names go."""
    names: _Names = {t.new: (t.apart, {}) for t in u.tables}
    return replace(
        u,
        tables=tuple(
            replace(
                t.switched,
                foreign_keys=tuple(_foreign_key(k, names) for k in t.foreign_keys),
                touching=tuple(_foreign_key(k, names) for k in t.touching),
            )
            for t in u.tables
        ),
    )


def _table(t: TableChange, names: _Names) -> TableChange:
    own = names[t.new][1]
    return replace(
        t,
        new=t.old,
        columns=tuple(_column(c, own) for c in t.columns),
        indexes=tuple(_index(i, own) for i in t.indexes),
        foreign_keys=tuple(_foreign_key(k, names) for k in t.foreign_keys),
        touching=tuple(_foreign_key(k, names) for k in t.touching),
        checks=tuple(
            replace(k, condition=with_columns(k.condition, own), columns=_named(k.columns, own))
            for k in t.checks
        ),
        partitions=tuple(
            replace(p, indexes={name: _index(i, own) for name, i in p.indexes.items()})
            for p in t.partitions
        ),
        renamed={},
    )


def _column(c: ColumnChange, own: Mapping[str, str]) -> ColumnChange:
    parent = c.parent
    if parent is not None:
        pairs = tuple((own.get(near, near), far) for near, far in parent.pairs)
        parent = replace(parent, pairs=pairs)
    return replace(
        c,
        name=c.build_name,
        old_name=c.name,
        check=with_columns(c.check, own) if c.check else c.check,
        paths=tuple((name, with_columns(check, own)) for name, check in c.paths),
        parent=parent,
    )


def _named(columns: Iterable[str], names: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(names.get(c, c) for c in columns)


def _index(i: IndexChange, own: Mapping[str, str]) -> IndexChange:
    if not i.converted:
        return i
    return replace(i, new_method=with_columns(i.new_method, own), columns=_named(i.columns, own))


def _foreign_key(k: ForeignKeyChange, names: _Names) -> ForeignKeyChange:
    table, here = names.get(k.table, (k.table, {}))
    references, there = names.get(k.references, (k.references, {}))
    if not k.converted:
        return replace(k, table=table, references=references)
    return replace(
        k,
        table=table,
        references=references,
        columns=_named(k.columns, here),
        referenced_columns=_named(k.referenced_columns, there),
        # ON DELETE SET NULL may name columns.
        options=with_columns(k.options, here),
    )
