"""A table against its standard: what holds whether or not trueup brought it there."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from psycopg import Connection

from runner.catalog import Column
from runner.generate.kinds.naming import follow
from runner.generate.wording.conditions import is_about_case, is_list
from runner.generate.wording.predicates import check_condition
from runner.generate.wording.types import short_type
from runner.quoting import quote_name, shorten
from runner.standard.model import EnumStandard, TableStandard
from runner.verify.checks import accepted, accepted_integers
from runner.verify.json_paths import json_distances
from runner.verify.report import Distance
from runner.verify.verified import Verified


def table_distances(connection: Connection[Any], table: Verified) -> Iterator[Distance]:
    """List what in a table is not as the standard has it.

    Args:
        connection: in a read-only transaction.
        table: an ordinary or partitioned table, under its old or its new name.
    """
    relation = table.relation
    if relation.schema != table.new.schema:
        found = "there until the old contract is gone"
        yield table.distance(f"table {relation.qualified}", str(table.new), found, "contract")
    elif relation.qualified != table.new:
        yield table.distance(
            f"table {relation.qualified}", f"the name {table.new}", "its old name", _switch(table)
        )
    for name in table.standard.uuids:
        yield from _uuid(table, name)
    for name, enum in table.standard.enums.items():
        yield from _enum(connection, table, name, enum)
    for name, paths in table.standard.json.items():
        yield from json_distances(connection, table, name, paths)
    for name, values in table.standard.integers.items():
        yield from _integer(connection, table, name, values)
    yield from _other_columns(table)
    yield from _key(table)
    yield from _validity(table)
    yield from _names(table)
    yield from _leftovers(table)


def _switch(table: Verified) -> str | None:
    """What is left for the switch, if it can come."""
    return "switch" if table.waits_for_switch else None


def _uuid(table: Verified, name: str) -> Iterator[Distance]:
    column = table.relation.column(table.now(name))
    if column is None:
        yield table.distance(table.column(name), "uuid", "no such column")
    elif column.type != "uuid":
        yield table.distance(table.column(column.name), "uuid", short_type(column.type))


def _enum(
    connection: Connection[Any], table: Verified, name: str, enum: EnumStandard
) -> Iterator[Distance]:
    column = table.relation.column(table.now(name))
    if column is None:
        yield table.distance(table.column(name), "varchar", "no such column")
        return
    longest = max(map(len, enum.values))
    varchar = re.fullmatch(r"character varying(?:\((\d+)\))?(\[\])?", column.type)
    if varchar is None or (varchar[1] and int(varchar[1]) < longest):
        yield table.distance(
            table.column(column.name),
            f"varchar{'[]' if column.is_array else ''} of at least {longest} characters",
            short_type(column.type),
        )
    yield from _default(table, name, enum)
    if varchar is None and column.type not in ("text", "text[]"):
        made = check_name(table.standard, name)
        yield table.distance(f"constraint {made} on {table.relation.qualified}", "a CHECK", "none")
    else:
        yield from _check(connection, table, name, column, enum)


def check_name(table: TableStandard, column: str) -> str:
    """The name of the CHECK that guards an enum column.

    Args:
        table: the table's standard.
        column: the column.
    """
    return table.checks.get(column) or shorten(f"{table.name}_{column}", "_check")


def _default(table: Verified, name: str, enum: EnumStandard) -> Iterator[Distance]:
    shows = table.shows
    column = shows.column(name)
    if column is None or column.default is None or column.default.startswith("NULL::"):
        return
    literal = re.fullmatch(r"'((?:[^']|'')*)'::.*", column.default)
    values = [literal[1].replace("''", "'")] if literal else []
    if column.is_array and literal:
        values = [v for v in literal[1].strip("{}").split(",") if v]
    elif column.is_array:
        values = re.findall(r"'((?:[^']|'')*)'", column.default)
    if (not values and not (column.is_array and literal)) or set(values) - set(enum.values):
        yield table.distance(
            f"default of column {shows.qualified}.{name}",
            f"a value of {enum.name}",
            short_type(column.default),
        )


def _check(
    connection: Connection[Any],
    table: Verified,
    column_name: str,
    column: Column,
    enum: EnumStandard,
) -> Iterator[Distance]:
    name, on = check_name(table.standard, column_name), f" on {table.relation.qualified}"
    if column_name in table.old_sides.values() or column_name in table.new_sides:
        built = shorten(name, "__new")  # where the old CHECK has the name until contract
        name = built if table.relation.constraint(built) else name
    listed = ", ".join(enum.values)
    found_by_name = False
    same_elsewhere: str | None = None
    for constraint in table.relation.constraints:
        if constraint.kind != "c" or constraint.columns != (column.name,):
            continue
        if constraint.name in table.uncheckable:
            if constraint.name == name:
                found_by_name = True
                yield table.distance(
                    f"constraint {name}{on}", f"the values {listed}", constraint.definition
                )
            continue
        condition = check_condition(constraint.definition)
        lists = is_list(condition, column.name) or is_about_case(condition, column.name)
        if constraint.name != name and not lists:
            continue  # a rule of the service's own, which may refuse some of the values
        passing = accepted(connection, column, constraint, enum.values)
        refused = [v for v in enum.values if v not in passing]
        more = sorted(passing - set(enum.values))
        if constraint.name == name:
            found_by_name = True
            if refused or more:
                yield table.distance(
                    f"constraint {name}{on}",
                    f"the values of {enum.name}: {listed}",
                    " and ".join(
                        f"{what} {', '.join(map(repr, values))}"
                        for what, values in (("refuses", refused), ("also passes", more))
                        if values
                    ),
                )
        elif refused and len(refused) < len(enum.values):
            yield table.distance(
                f"constraint {constraint.name}{on}",
                f"to pass every value of {enum.name}",
                f"refuses {', '.join(map(repr, refused))}",
            )
        elif refused:
            yield table.distance(
                f"constraint {constraint.name}{on}", "gone", f"refuses every value of {enum.name}"
            )
        elif not more:
            same_elsewhere = constraint.name
    if not found_by_name:
        yield table.distance(
            f"constraint {name}{on}",
            "a CHECK",
            f"the same under the name {same_elsewhere}" if same_elsewhere else "none",
        )


def _integer(
    connection: Connection[Any], table: Verified, name: str, values: tuple[int, ...]
) -> Iterator[Distance]:
    column, listed = table.relation.column(name), ", ".join(map(str, values))
    if column is None or column.type not in ("smallint", "integer", "bigint"):
        found = short_type(column.type) if column else "no such column"
        yield table.distance(table.column(name), "an integer", found)
        return
    object_, expected = f"CHECK on {table.column(name)}", f"the values {listed}"
    checks = [k for k in table.relation.constraints if k.kind == "c" and k.columns == (name,)]
    known = [k for k in checks if k.name not in table.uncheckable]
    if not known:
        shown = checks[0].definition if checks else "none"
        yield table.distance(object_, expected, shown)
        return
    passing = frozenset.intersection(
        *(accepted_integers(connection, column, k, values) for k in known)
    )
    if passing != set(values):
        shown = ", ".join(map(str, sorted(passing))) or "none"
        yield table.distance(object_, expected, f"among its neighbours {shown}")


def _other_columns(table: Verified) -> Iterator[Distance]:
    """Columns that only get another name, and those that keep an original."""
    relation = table.relation
    for old, new in table.standard.columns.items():
        if relation.column(new) is None:
            found = "its old name" if relation.column(old) else "no such column"
            yield table.distance(table.column(old), f"the name {new}", found, _switch(table))
        elif relation.column(old) is not None:
            yield table.distance(table.column(old), f"gone: it is {new}", "both")
    for name, kept in table.standard.keep_original.items():
        if relation.column(kept) is None:
            yield table.distance(
                table.column(kept), f"to keep the old values of {name}", "no such column"
            )


def _key(table: Verified) -> Iterator[Distance]:
    """A table without a primary key may be meant so, but not one with a uuid `id`."""
    relation = table.relation
    if relation.primary_key is None and "id" in table.standard.uuids:
        yield table.distance(f"table {relation.qualified}", "a primary key on id", "none")
        return
    promoted = f"{table.standard.name}_pkey"
    for index in relation.indexes:
        if index.name == promoted and index.constraint is None:
            yield table.distance(
                f"index {promoted}", "the primary key", "a unique index", "contract"
            )


def _validity(table: Verified) -> Iterator[Distance]:
    on = f" on {table.relation.qualified}"
    for index in table.relation.indexes:
        if not index.valid:
            yield table.distance(f"index {index.name}{on}", "valid", "invalid")
    kinds = {"c": "CHECK", "f": "foreign key", "n": "NOT NULL"}
    # One on other columns is the service's own affair.
    named = table.standard
    converted = {*named.uuids, *named.enums, *named.json, *named.integers}
    converted = {table.now(name) for name in converted}
    leaving = _for_the_while(table)
    for constraint in table.relation.constraints:
        if constraint.name in leaving:
            continue
        if not constraint.validated and converted.intersection(constraint.columns):
            kind = kinds.get(constraint.kind, "constraint")
            yield table.distance(
                f"{kind} {constraint.name}{on}", "validated", "NOT VALID", "enforce"
            )


def _names(table: Verified) -> Iterator[Distance]:
    """Names that hold the table's old name, unless the new one is taken by something else."""
    relation, old, new = table.relation, table.standard.old, table.standard.name
    if old == new:
        return
    here = [r for r in table.catalog.relations.values() if r.schema == relation.schema]
    taken = {r.name for r in here} | {i.name for r in here for i in r.indexes}
    constraints = {k.name for k in relation.constraints}
    sides = set(table.old_sides)
    named = [("index", i.name) for i in relation.indexes if not sides.intersection(i.columns)]
    named += [
        ("constraint", k.name)
        for k in relation.constraints
        if k.kind in "fcx" and k.index is None and not sides.intersection(k.columns)
    ]
    named += [
        ("sequence", r.name)
        for r in here
        if r.kind == "S" and (r.owned_by or "").startswith(f"{quote_name(relation.qualified)}.")
    ]
    for kind, name in named:
        wanted = _wanted(name, old, new)
        others = constraints if kind == "constraint" else taken
        if wanted not in {name} | others:
            yield table.distance(f"{kind} {name}", f"the name {wanted}", "its old name", "contract")
    # PostgreSQL 18 names them too: one line for all.
    nulls = [
        k.name
        for k in relation.constraints
        if k.kind == "n"
        and not sides.intersection(k.columns)
        and _wanted(k.name, old, new) != k.name
    ]
    if nulls:
        rest = f" and {len(nulls) - 1} more" if len(nulls) > 1 else ""
        yield table.distance(
            f"NOT NULL constraints of {relation.qualified}",
            f"the name {follow(nulls[0], old, new)}{rest}",
            f"{nulls[0]}{rest}",
            "contract",
        )


def _wanted(name: str, old: str, new: str) -> str:
    """What a name should be: it holds the table's new name in the place of its old one."""
    has_new, has_old = (
        re.search(rf"(?<![^_]){re.escape(table)}(?![^_])", name) for table in (new, old)
    )
    if has_new and has_old and has_new.start() <= has_old.start():
        return name  # `model_models_seen_idx`; and `sales_order_pkey` where `order` got that name
    return follow(name, old, new)


def _leftovers(table: Verified) -> Iterator[Distance]:
    relation, on = table.relation, f" on {table.relation.qualified}"
    leaving = _for_the_while(table)
    sides = set(table.old_sides)
    for name, now in table.new_sides.items():
        yield table.distance(
            table.column(now), f"the name {name}", "a name for the while", _switch(table)
        )
    for column in relation.columns:
        if column.name in sides:
            yield table.distance(
                table.column(column.name), "gone", short_type(column.type), "contract"
            )
    for index in relation.indexes:
        if sides.intersection(index.columns):
            yield table.distance(
                f"index {index.name}{on}", "gone", "the old columns' index", "contract"
            )
        elif index.name.endswith("__new"):
            yield table.distance(
                f"index {index.name}{on}", "its own name", "a name for the while", "contract"
            )
    for constraint in relation.constraints:
        if constraint.name in leaving:
            phase = leaving[constraint.name]
            yield table.distance(
                f"constraint {constraint.name}{on}", "gone", constraint.definition, phase
            )
        elif constraint.kind == "f" and sides.intersection(constraint.columns):
            yield table.distance(
                f"foreign key {constraint.name}{on}", "gone", "the old columns' key", "contract"
            )
        elif constraint.kind == "f" and constraint.name.endswith("__new"):
            yield table.distance(
                f"foreign key {constraint.name}{on}",
                "its own name",
                "a name for the while",
                "contract",
            )
    for trigger in relation.triggers:
        if trigger.name.startswith("zz_trueup_sync"):
            yield table.distance(
                f"trigger {trigger.name}{on}", "gone", "keeps both sides equal", "contract"
            )


def _for_the_while(table: Verified) -> dict[str, str]:
    """The CHECKs that prove the new columns, and the phase that drops each."""
    filled = [shorten(name, "_filled") for name in (table.standard.old, table.standard.name)]
    in_step = table.relation.constraint(table.in_step)
    # Where enforce sets no column NOT NULL, it leaves to contract what it has proved.
    proved = in_step is not None and in_step.validated
    kept = proved and not any(map(table.relation.constraint, filled))
    return {**dict.fromkeys(filled, "enforce"), table.in_step: "contract" if kept else "enforce"}
