"""While both contracts live: whether each serves what the other does."""

from __future__ import annotations

from collections.abc import Iterator

from runner.catalog import Constraint, Relation
from runner.quoting import quote_ident, shorten
from runner.verify.report import Distance
from runner.verify.verified import Verified

_TRUE = ("true", "on", "yes", "1")


def compat_distances(table: Verified, view: Relation) -> Iterator[Distance]:
    """List what is wrong with the compat view and what the new columns lack beside the old ones.

    Args:
        table: under its new name.
        view: the view under its old name.
    """
    yield table.distance(f"view {view.qualified}", "gone", "keeps the old name alive", "contract")
    yield from _view(table, view)
    yield from _grants(table, view)
    yield from _triggers(table)
    yield from _new_side(table, view)


def _view(table: Verified, view: Relation) -> Iterator[Distance]:
    relation, sides = table.relation, table.old_sides
    name = f"view {view.qualified}"
    old_names = {new: old for old, new in table.standard.columns.items()}
    kept = set(table.standard.keep_original.values())
    wanted = {
        sides.get(c.name, old_names.get(c.name, c.name))
        for c in relation.columns
        if c.name not in kept
    }
    if lacking := sorted(wanted - {c.name for c in view.columns}):
        yield table.distance(name, f"the columns of {relation.qualified}", _lacks(lacking))
    if view.owner != relation.owner:
        yield table.distance(name, f"the owner {relation.owner}", f"the owner {view.owner}")
    invoker = any(o.startswith("security_invoker=") and o[17:] in _TRUE for o in view.options)
    if relation.row_security and not invoker:
        yield table.distance(name, "security_invoker, as row security needs", "none")
    marker = quote_ident(shorten(table.prefix + table.standard.old, "_used"))
    if f"trueup.{marker}" not in (view.definition or ""):
        yield table.distance(name, f"to read its odometer trueup.{marker}", "it does not")


def _grants(table: Verified, view: Relation) -> Iterator[Distance]:
    relation, sides = table.relation, table.old_sides
    pairs = [(f"grants on view {view.qualified}", relation.acl, view.acl)]
    for column in view.columns:
        # The old side's grants went to the new column, and to the view's.
        there = relation.column(table.standard.columns.get(column.name, column.name))
        if there is not None:
            pairs.append(
                (f"grants on column {view.qualified}.{column.name}", there.acl, column.acl)
            )
    for old, new in sides.items():
        before, after = relation.column(old), relation.column(new)
        if before is not None and after is not None:
            pairs.append((f"grants on {table.column(new)}", before.acl, after.acl))
    for object_, expected, found in pairs:
        lacking, more = sorted(set(expected) - set(found)), sorted(set(found) - set(expected))
        if lacking or more:
            shown = " and ".join(
                part
                for part in (
                    _lacks(lacking) if lacking else "",
                    f"also has {', '.join(more)}" if more else "",
                )
                if part
            )
            yield table.distance(object_, f"those of {relation.qualified}", shown)


def _lacks(names: list[str]) -> str:
    return f"lacks {', '.join(names)}"


def _triggers(table: Verified) -> Iterator[Distance]:
    if not table.old_sides:
        return
    here = {t.name: t for t in table.relation.triggers}
    for name in ("zz_trueup_sync_insert", "zz_trueup_sync_update"):
        object_ = f"trigger {name} on {table.relation.qualified}"
        if name not in here:
            yield table.distance(object_, "to keep both sides equal", "none")
        elif here[name].enabled not in "OA":
            yield table.distance(object_, "enabled", "disabled")


def _new_side(table: Verified, view: Relation) -> Iterator[Distance]:
    """What the old columns have and the new ones still lack: the rest of backfill and enforce."""
    relation, sides = table.relation, table.old_sides
    for old, new in sides.items():
        before, after, shown = relation.column(old), relation.column(new), view.column(new)
        if before is None or after is None:
            continue
        if before.not_null and not after.not_null:
            yield table.distance(table.column(new), "NOT NULL", "nullable", "enforce")
        if shown is not None and shown.default is not None and after.default is None:
            yield table.distance(f"default of {table.column(new)}", "one, as before", "none")
    # By columns: their predicates name other values.
    built = {(i.unique, frozenset(i.columns)) for i in relation.indexes if i.valid}
    for index in relation.indexes:
        if not sides.keys() & set(index.columns):
            continue
        columns = [sides.get(c, c) for c in index.columns]
        if (index.unique, frozenset(columns)) not in built:
            yield table.distance(
                f"index on {relation.qualified} ({', '.join(columns)})",
                f"built, as {index.name} is",
                "none",
                "enforce",
            )
    keys = {_key(k) for k in relation.constraints if k.kind == "f"}
    for constraint in relation.constraints:
        if constraint.kind != "f" or not sides.keys() & set(constraint.columns):
            continue
        near = tuple(sides.get(c, c) for c in constraint.columns)
        far = tuple(_base(c) for c in constraint.referenced_columns)
        if (near, constraint.references, far) not in keys:
            yield table.distance(
                f"foreign key of {relation.qualified} ({', '.join(near)})",
                f"to {constraint.references} ({', '.join(far)})",
                "none",
                "enforce",
            )


def _key(constraint: Constraint) -> tuple[object, ...]:
    return constraint.columns, constraint.references, constraint.referenced_columns


def _base(column: str) -> str:
    return column.removesuffix("__old")
