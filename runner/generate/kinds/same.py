"""The guard of a file: what stands on its table, as the file was written for.

It is said with names and columns alone, which are the same on every server: an expression's text is
not.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from enum import IntEnum

from runner.catalog import Column, Constraint, Index
from runner.generate.column_change import ColumnChange
from runner.generate.dependent import DependentChange
from runner.generate.kinds import check, not_null
from runner.generate.kinds.naming import follow
from runner.generate.model import ForeignKeyChange, IndexChange, TableChange
from runner.generate.statement import Statement, in_lines
from runner.generate.wording.casts import NAME, arguments, closing
from runner.generate.wording.predicates import with_columns
from runner.quoting import Name, quote_literal, quote_name

_PLAIN = re.compile(rf"USING \w+ \({NAME}(?: \w+)*(?:, {NAME}(?: \w+)*)*\)")
_KEY = re.compile(rf"({NAME})(?: |$)")  # one that is no expression
_OPTIONS = re.compile(r""" WITH \([^"()]*\)$""")
_SECURED = ("row level security", "force row level security", "policy *")
_QUOTED = re.compile(r'"(?:[^"]|"")*"')
_KINDS = {"p": "primary key", "u": "unique", "x": "exclude", "c": "check", "f": "foreign key"}


class At(IntEnum):
    """How far a table is on its way."""

    OLD = 0
    EXPANDED = 1
    ENFORCED = 2
    SWITCHED = 3
    DROPPING = 4  # the old columns go next
    NEW = 5


def is_switched(t: TableChange, at: At) -> bool:
    """Whether the new contract has the table."""
    return at >= (At.EXPANDED if t.at_expand else At.SWITCHED)


def renames(t: TableChange) -> Mapping[str, str]:
    """The names of constraints that only follow the table's: old, new."""
    found = {
        k.name: follow(k.name, t.old.name, t.new.name)
        for k in t.relation.constraints
        if k.kind == "c" and t.converted.keys().isdisjoint(k.columns)
    }
    found |= {k.old_name: k.name for k in t.foreign_keys if not k.converted}
    taken = {name for name, _ in check.own(t)} | {k.name for k in t.relation.constraints}
    taken |= {k.name for k in t.checks}
    return {old: new for old, new in found.items() if old != new and new not in taken}


def require(
    t: TableChange,
    at: At,
    *,
    but_keys: bool = False,
    but: Iterable[DependentChange] = (),
    secured: bool = False,
) -> Statement:
    """The call that stops a file whose table is not as the file was written for.

    Args:
        t: the table.
        at: how far it is.
        but_keys: whether its converted foreign keys have been dropped.
        but: what has been taken off it.
        secured: whether it may have got row security, which the file leaves as it is.
    """
    gone = {
        f"view {d.of.dependent.host.schema}.{d.of.dependent.host.name}"
        if "view" in d.of.dependent.kind
        else f"{d.of.dependent.kind} {d.of.dependent.name}"
        for d in but
        if "view" in d.of.dependent.kind or d.of.dependent.host == t.old
    }
    lines = list(dict.fromkeys(_standing(t, at, but_keys=but_keys)))
    lines = [line for line in lines if line not in gone]
    table = quote_literal(quote_name(_stands(t, at)))
    sql = f"CALL trueup.require_same({table}, ARRAY[\n{in_lines(map(quote_literal, lines))}\n]"
    may_stand = [*_may_stand(t, at), *(_SECURED if secured else ())]
    if may := list(dict.fromkeys(line for line in may_stand if line not in lines)):
        sql += f", may_be => ARRAY[\n{in_lines(map(quote_literal, may))}\n]"
    return Statement(sql + ");")


def require_alike(t: TableChange, at: At) -> list[Statement]:
    """The call that stops a file where one partition has what its table has not.

    Args:
        t: the table.
        at: how far it is; no index of ours is on some partitions alone by then.
    """
    if not (t.is_partitioned and t.columns):
        return []
    names = _Names(t, at)
    sides = [side(c.name) for c in t.columns for side in (names.old, names.new)]
    listed = ", ".join(map(quote_literal, dict.fromkeys(sides[:: 2 if at == At.OLD else 1])))
    table = quote_literal(quote_name(_stands(t, at)))
    return [Statement(f"CALL trueup.require_alike({table}, ARRAY[{listed}]);")]


def _stands(t: TableChange, at: At) -> Name:
    return t.new if at >= At.DROPPING else t.apart if is_switched(t, at) else t.old


def _on(kind: str, name: str, columns: Iterable[str]) -> str:
    return f"{kind} {name} ({', '.join(sorted(columns))})"


class _Names:
    """What the columns of a table are called at some point."""

    def __init__(self, t: TableChange, at: At) -> None:
        self._t, self._switched = t, is_switched(t, at)

    def old(self, name: str) -> str:
        """The old side of a column, or one that has one side alone."""
        if c := self._t.converted.get(name):
            return c.old_name if self._switched else c.name
        return self.single(name)

    def new(self, name: str) -> str:
        """Its new side."""
        if c := self._t.converted.get(name):
            return c.name if self._switched else c.build_name
        return self.single(name)

    def of_old(self, method: str) -> str:
        """The definition of an index on the old side, from `USING` on."""
        return with_columns(method, self._t.old_names) if self._switched else method

    def of_new(self, method: str) -> str:
        """The same of one on the new side."""
        names = {c.name: c.build_name for c in self._t.columns}
        return method if self._switched else with_columns(method, names)

    def single(self, name: str) -> str:
        """A column that is not converted."""
        return self._t.renamed.get(name, name) if self._switched else name


def _standing(t: TableChange, at: At, *, but_keys: bool) -> Iterator[str]:
    names = _Names(t, at)
    for column in t.relation.columns:
        yield from _column(t, column, names, at)
    yield from _constraints(t, names, at, but_keys=but_keys)
    yield from _indexes(t, names, at)
    relation = t.relation
    yield from (f"statistics {s.name}" for s in relation.statistics)
    yield from (f"trigger {s.name}" for s in relation.triggers if s.function.schema != "trueup")
    yield from (f"rule {s.name}" for s in relation.rules)
    yield from (f"policy {s.name}" for s in relation.policies)
    if relation.row_security:
        yield "row level security"
    if relation.force_row_security:
        yield "force row level security"
    if relation.partition_bound is None and (
        relation.parents or (relation.children and relation.kind != "p")
    ):
        yield "inheritance"
    yield from (f"publication {p.name}" for p in relation.publications)
    views = {
        d.host
        for d in relation.dependents
        if d.kind in ("view", "materialized view")
        and d.host != relation.qualified
        and d.host.schema != "trueup"
        and not d.host.schema.startswith("pg_temp")
    }
    if At.OLD < at < At.DROPPING:
        views.add(t.old if is_switched(t, at) else t.apart)
    yield from (f"view {v.schema}.{v.name}" for v in sorted(views))


def _column(t: TableChange, column: Column, names: _Names, at: At) -> Iterator[str]:
    change = t.converted.get(column.name)
    if change is None:
        has_default = bool(column.default or column.identity or column.generated)
        yield _said(names.single(column.name), column.not_null, has_default)
        return
    if at < At.NEW and not _is_uncertain(t, column, change, at):
        # To have none where the type has one, it has NULL.
        own = change.type_default if is_switched(t, at) else column.default
        has_default = own is not None
        yield _said(names.old(column.name), column.not_null, has_default)
    if at == At.OLD:
        return
    if change.kept:
        yield f"column {change.kept}"
    has_default = is_switched(t, at) and change.new_default is not None
    yield _said(names.new(column.name), change.not_null and at >= At.ENFORCED, has_default)


def _is_uncertain(t: TableChange, column: Column, change: ColumnChange, at: At) -> bool:
    """Whether a rollback leaves an old column otherwise than the way there does."""
    keeps_null = is_switched(t, at) and column.default is not None and change.old_default is None
    return keeps_null or (at == At.DROPPING and column.not_null)


def _said(name: str, not_null: bool, has_default: bool) -> str:
    return f"column {name}" + " NOT NULL" * not_null + " DEFAULT" * has_default


def _may_stand(t: TableChange, at: At) -> Iterator[str]:
    """What is there or not, as a rollback that was broken off left it."""
    names = _Names(t, at)
    for column in t.relation.columns if is_switched(t, at) and at < At.NEW else ():
        change = t.converted.get(column.name)
        if change is None or not _is_uncertain(t, column, change, at):
            continue
        own = column.default if change.old_default is None else None
        has_default = own is not None or change.type_default is not None
        for is_set in (
            (False, True) if at == At.DROPPING and column.not_null else (column.not_null,)
        ):
            yield from (_said(change.old_name, is_set, d) for d in sorted({False, has_default}))
    if at == At.DROPPING and (old := [c.old_name for c in t.columns if c.not_null]):
        yield _on("check", not_null.filled(t.new.name), old)
    if at == At.DROPPING and t.is_partitioned:
        # They go with the columns.
        changes = {i.old_name for i in t.converted_indexes}
        for index in t.relation.indexes:
            if index.name in changes and index.constraint is None:
                yield f"{_index_kind(index)} {index.name}"
    if t.columns and not any(c.not_null for c in t.columns) and At.OLD < at < At.NEW:
        yield _in_step(t, names)


def _filling(t: TableChange) -> TableChange:
    """The table by the name that it has while its new columns are filled."""
    return t.switched if t.at_expand else replace(t, new=t.old)


def _in_step(t: TableChange, names: _Names) -> str:
    sides = [side(c.name) for c in t.columns for side in (names.old, names.new)]
    return _on("check", check.in_step(_filling(t)), sides)


def _constraints(t: TableChange, names: _Names, at: At, *, but_keys: bool) -> Iterator[str]:
    foreign_keys = {k.old_name: k for k in t.foreign_keys}
    indexes = {i.old_name: i for i in t.indexes}
    followed = renames(t) if at == At.NEW else {}
    for k in t.relation.constraints:
        if k.kind not in _KINDS or k.parent is not None:
            continue
        index, key = indexes.get(k.index or k.name), foreign_keys.get(k.name)
        if k.kind == "f" and key is not None and key.converted:
            yield from _foreign_key(t, k, key, names, at, gone=but_keys)
        elif k.kind in "pux" and index is not None:
            yield from _key(t, k, index, names, at)
        elif at != At.NEW or t.converted.keys().isdisjoint(k.columns):
            name = followed.get(k.name, k.name)
            yield _on(_KINDS[k.kind], name, map(names.old, k.columns))
    if at == At.OLD:
        return
    for column, name, _ in t.integer_checks:
        yield _on("check", name, [names.single(column)])
    for c in t.columns:
        own = t.built_checks if at < At.NEW else {}
        yield from (_on("check", own.get(n, n), [names.new(c.name)]) for n, _ in c.checks)
    for carried in t.checks:
        name = carried.name if at == At.NEW else carried.build_name
        yield _on("check", name, map(names.new, carried.columns))
    if at == At.EXPANDED and (new := [names.new(c.name) for c in t.columns if c.not_null]):
        yield _on("check", not_null.filled(_filling(t).new.name), new)
        yield _in_step(t, names)


def _foreign_key(
    t: TableChange, k: Constraint, key: ForeignKeyChange, names: _Names, at: At, *, gone: bool
) -> Iterator[str]:
    if at < At.DROPPING and not gone:
        yield _on("foreign key", key.old_name, map(names.old, k.columns))
    if at >= At.ENFORCED and not gone:
        name = key.name if at >= At.DROPPING else key.build_name
        yield _on("foreign key", name, map(names.new, k.columns))


def _key(t: TableChange, k: Constraint, i: IndexChange, names: _Names, at: At) -> Iterator[str]:
    kind = _KINDS[k.kind]
    old, new, place = map(names.old, k.columns), map(names.new, k.columns), _place(i)
    if not i.converted:
        yield _on(kind, i.name if at == At.NEW else i.old_name, old) + place
        return
    if at < At.DROPPING:
        yield _on(kind, i.old_name, old) + place
    if at >= At.DROPPING:
        yield _on(kind, i.name, new) + place
    elif at >= At.ENFORCED:
        # A partitioned table has its second constraint all the time; of others it is an index.
        if t.is_partitioned and i.constraint == "UNIQUE":
            yield _on("unique", i.build_name, new) + place
        else:
            yield _built(i, i.build_name, names)


def _indexes(t: TableChange, names: _Names, at: At) -> Iterator[str]:
    changes = {i.old_name: i for i in t.indexes}
    for index in t.relation.indexes:
        if index.constraint is not None:
            continue
        kind = _index_kind(index)
        i = changes.get(index.name)
        if i is None or not i.converted:
            name = i.name if i is not None and at == At.NEW else index.name
            yield f"{kind} {name} {_defined(index, names)}{_place(index)}"
            continue
        if at < At.DROPPING:
            yield f"{kind} {i.old_name} {_defined(index, names)}{_place(index)}"
        if at >= At.ENFORCED:
            yield _built(i, i.name if at == At.NEW else i.build_name, names)


def _built(i: IndexChange, name: str, names: _Names) -> str:
    """An index on the new columns; expressions of ours are printed in other words."""
    method = _OPTIONS.sub("", i.new_method)
    said = f" {_plain(names.of_new(method))}{_place(i)}" if _PLAIN.fullmatch(method) else ""
    return f"{'unique ' * i.unique}index {name}{said}"


def _place(i: Index | IndexChange) -> str:
    return f" TABLESPACE {i.tablespace}" if i.tablespace is not None else ""


def _defined(index: Index, names: _Names) -> str:
    """What trueup.standing() says of an index on the old side."""
    method = names.of_old(index.method)
    begin = method.index("(") + 1
    keys = [_KEY.match(method[at:end]) for at, end in arguments(method, begin)]
    behind = _QUOTED.sub("", method[closing(method, begin) + 1 :])
    if all(keys) and " WHERE " not in behind:
        return _plain(method)
    listed = ", ".join(key[1] if key else "(...)" for key in keys)
    predicate = " WHERE (...)" * (" WHERE " in behind)
    mentioned = ", ".join(sorted(map(names.old, index.columns)))
    return f"{method[:begin]}{listed}){predicate} on {mentioned}".replace('"', "")


def _plain(method: str) -> str:
    """A definition without what differs between servers: options, and quotes around keywords."""
    return _OPTIONS.sub("", method).replace('"', "")


def _index_kind(index: Index) -> str:
    return ("" if index.valid else "invalid ") + ("unique index" if index.unique else "index")
