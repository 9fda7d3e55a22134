"""While both contracts live: whether each serves what the other does."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from psycopg import Connection, sql

from runner.catalog import Constraint, Relation
from runner.ledger.owners import mended_by
from runner.ledger.tables import hold_table
from runner.preflight.reading import fetch_all, fetch_one
from runner.quoting import Name, quote_ident, quote_name, shorten
from runner.verify.report import Distance
from runner.verify.verified import Verified

_TRUE = ("true", "on", "yes", "1")


def both_live(connection: Connection[Any], table: Verified) -> Iterator[Distance]:
    """List what is wrong with the view and what the new columns lack beside the old ones.

    Args:
        connection: in a read-only transaction.
        table: with the new view, or after the switch with the compat view.
    """
    view = table.view
    if view is None:
        return
    if not table.waits_for_switch:
        yield table.distance(
            f"view {view.qualified}", "gone", "keeps the old name alive", "contract"
        )
    yield from _view(connection, table, view)
    yield from _grants(table, view)
    yield from _triggers(table)
    yield from _backfilled(connection, table)
    yield from _new_side(table, view)


def _shown(table: Verified) -> dict[str, str]:
    """The columns that the view must show, each with the table's column that it is."""
    relation, sides, renamed = table.relation, table.old_sides, table.standard.columns
    if table.waits_for_switch:
        new = {now: name for name, now in table.new_sides.items()}
        names = {**renamed, **new}
        return {names.get(c.name, c.name): c.name for c in relation.columns if c.name not in sides}
    kept = {*table.standard.keep_original.values(), *sides.values()}
    names = {**{new: old for old, new in renamed.items()}, **sides}
    return {names.get(c.name, c.name): c.name for c in relation.columns if c.name not in kept}


def _view(connection: Connection[Any], table: Verified, view: Relation) -> Iterator[Distance]:
    relation = table.relation
    name = f"view {view.qualified}"
    if lacking := sorted(_shown(table).keys() - {c.name for c in view.columns}):
        yield table.distance(name, f"the columns of {relation.qualified}", _lacks(lacking))
    alter = f"ALTER VIEW {quote_name(view.qualified)}"
    if view.owner != relation.owner:
        alone = f"{alter} OWNER TO {quote_ident(relation.owner)};"
        mended = mended_by(connection, relation.qualified, alone)
        found = f"the owner {view.owner}: {mended}"
        yield table.distance(name, f"the owner {relation.owner}", found)
    invoker = any(o.startswith("security_invoker=") and o[17:] in _TRUE for o in view.options)
    if relation.row_security and not invoker:
        alone = f"{alter} SET (security_invoker = true);"
        found = f"none: {mended_by(connection, relation.qualified, alone)}"
        yield table.distance(name, "security_invoker, as row security needs", found)
    if table.waits_for_switch:
        return
    marker = quote_ident(shorten(table.prefix + table.standard.old, "_used"))
    if f"trueup.{marker}" not in (view.definition or ""):
        yield table.distance(name, f"to read its odometer trueup.{marker}", "it does not")


def _grants(table: Verified, view: Relation) -> Iterator[Distance]:
    relation, sides = table.relation, table.old_sides
    pairs = [(f"grants on view {view.qualified}", relation.acl, view.acl)]
    # The compat view's columns are held to the new ones, and so are the old ones below.
    columns = _shown(table) if table.waits_for_switch else table.standard.columns
    for column in view.columns:
        there = relation.column(columns.get(column.name, column.name))
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
    return f"none of {', '.join(names)}"


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


def _backfilled(connection: Connection[Any], table: Verified) -> Iterator[Distance]:
    """How far the backfill is, while no CHECK proves that it is done; if the role may see it."""
    in_step = table.relation.constraint(table.in_step)
    known = fetch_one(
        connection,
        sql.SQL(
            "SELECT coalesce(has_table_privilege(to_regclass('trueup.progress'), 'SELECT'), false)"
        ),
    )
    if in_step is None or in_step.validated or known != (True,):
        return
    hold_table(connection, "trueup", "progress")
    walked = {
        name: (page, pages)
        for name, page, pages in fetch_all(
            connection, sql.SQL("SELECT table_name, page, pages FROM trueup.progress")
        )
    }
    for name in _with_rows(table, table.relation):
        page, pages = walked.get(quote_name(name), (0, -1))
        if page < pages or pages < 0:
            found = "not begun" if pages < 0 else f"{page / pages:.0%} of its pages"
            yield table.distance(f"rows of {name}", "all converted", found, "backfill")


def _with_rows(table: Verified, relation: Relation) -> Iterator[Name]:
    if relation.kind != "p":
        yield relation.qualified
    for child in table.catalog.children(relation):
        yield from _with_rows(table, child)


def _new_side(table: Verified, view: Relation) -> Iterator[Distance]:
    """What the old columns have and the new ones still lack: the rest of backfill and enforce."""
    relation, sides = table.relation, table.old_sides
    names = {now: name for name, now in table.new_sides.items()}
    for old, new in sides.items():
        before, after = relation.column(old), relation.column(new)
        if before is None or after is None:
            continue
        if before.not_null and not after.not_null:
            yield table.distance(table.column(new), "NOT NULL", "nullable", "enforce")
        # The side that has the table has its defaults, and the view those of the other.
        shown = view.column(names.get(new, new))
        if shown is None:
            continue
        has, lacks = (before, shown) if table.waits_for_switch else (shown, after)
        if has.default is not None and lacks.default is None:
            where = view if table.waits_for_switch else relation
            yield table.distance(
                f"default of column {where.qualified}.{lacks.name}", "one, as before", "none"
            )
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
        far = tuple(_partner(table, constraint, c) for c in constraint.referenced_columns)
        if (near, constraint.references, far) not in keys:
            yield table.distance(
                f"foreign key of {relation.qualified} ({', '.join(near)})",
                f"to {constraint.references} ({', '.join(far)})",
                "none",
                "enforce",
            )


def _key(constraint: Constraint) -> tuple[object, ...]:
    return constraint.columns, constraint.references, constraint.referenced_columns


def _partner(table: Verified, constraint: Constraint, column: str) -> str:
    """The new column beside an old one that a foreign key refers to."""
    far = table.catalog.relations.get(constraint.references) if constraint.references else None
    built = shorten(column, "__new")
    if far is not None and far.column(built) is not None:
        return built
    return column.removesuffix("__old")
