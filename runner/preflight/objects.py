"""What depends on the tables in the catalog, and what conversion would do to it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from psycopg import Connection
from psycopg.rows import dict_row

from runner.catalog import Catalog
from runner.generate.kinds import partition, row_type, table
from runner.generate.kinds.naming import names_taken
from runner.generate.model import TableChange
from runner.preflight import queries
from runner.preflight.dependents import check_dependents
from runner.preflight.report import Finding, Severity
from runner.quoting import Name, quote_ident, quote_literal, quote_name

_REMAKE = "Drop it first, and create it again for the new contract afterwards."


def check_objects(
    connection: Connection[Any], changes: Sequence[TableChange], catalog: Catalog
) -> Iterator[Finding]:
    """What the catalog says about the tables that are to be converted.

    Args:
        connection: in a read-only transaction.
        changes: the tables.
        catalog: the database at the old contract.
    """
    tables = {c.old: c for c in changes}
    wanted = {"schemas": [n.schema for n in tables], "names": [n.name for n in tables]}
    with connection.cursor(row_factory=dict_row) as cursor:
        may = cursor.execute(
            queries.MAY_SILENCE if catalog.version >= 15 else queries.IS_SUPERUSER
        ).fetchone()
        assert may is not None
        rows = [*_rows(changes, catalog)]
        told = {finding.object for finding in rows}
        for row in cursor.execute(queries.DEPENDENTS, wanted).fetchall():
            row["row_type"] |= row["object"].replace(" on table ", " on ") in told
            yield from _dependent(tables[Name(row["schema"], row["name"])], row, may)
        for row in cursor.execute(queries.REFERENCES, wanted).fetchall():
            yield from _outside_reference(tables, row)
        for row in cursor.execute(queries.INDEXES, wanted).fetchall():
            yield from _index(tables[Name(row["schema"], row["name"])], row)
        yield from check_dependents(connection, changes, catalog)
        yield from rows
        for change in changes:
            yield from _table(change, changes, catalog)
        named = {
            "schemas": sorted({c.new.schema for c in changes}),
            "names": sorted({c.new.name for c in changes}),
        }
        yield from _names(changes, cursor.execute(queries.NAMES, named).fetchall())
        for row in cursor.execute(queries.FUNCTIONS).fetchall():
            yield from _function(tables, row)
        kept = {c.apart.schema: c.old.schema for c in changes if c.keeps_name}
        places = {"schemas": [*kept.values()], "names": [*kept]}
        for row in cursor.execute(queries.SCHEMAS, places).fetchall():
            yield _taken(
                f"schema {row['name']}", "the new contract of tables that keep their names"
            )
        if catalog.version >= 15:
            for row in cursor.execute(queries.PUBLISHED, wanted).fetchall():
                yield _schema_published(row, stops=row["schema"] in kept.values())


def _schema_published(row: dict[str, Any], *, stops: bool) -> Finding:
    whole = f"publishes the schema {row['schema']} as a whole"
    if stops:
        return Finding(
            Severity.STOPS,
            f"publication {row['name']}",
            f"{whole}, which tables that keep their names would leave until contract",
            hint="Publish the tables by name before, or convert them in a window.",
        )
    return Finding(
        Severity.KNOW,
        f"publication {row['name']}",
        f"{whole}: subscribers get the new columns, too, from expand on, and all of them under "
        "the tables' new names from the switch on",
        hint="Prepare the subscribers' tables before each of these.",
    )


def _converted(change: TableChange, columns: Iterable[str] | None) -> str:
    return ", ".join(c for c in columns or () if c in change.converted)


def _dependent(change: TableChange, row: dict[str, Any], may: dict[str, Any]) -> Iterator[Finding]:
    named = _converted(change, row["columns"])
    old, kind, object_ = str(change.old), row["catalog"], row["object"]
    if row["internal"]:
        return
    if row["row_type"]:
        return  # _rows() tells
    if kind == "pg_trigger":
        yield from _silence(change, row | may)
    if kind != "pg_publication_rel" and (named or kind == "pg_statistic_ext"):
        return  # check_dependents() tells
    elif named and kind != "pg_publication_rel":
        yield Finding(
            Severity.STOPS,
            object_,
            f"names {named} of {old}: the old columns cannot be dropped, nor change their type",
            hint=_REMAKE,
        )
    elif named and not row["may_publish"]:
        yield Finding(
            Severity.STOPS,
            object_,
            f"names {named}, and {may['role']} does not own it, so no file could let it publish "
            "the new columns",
            hint=f"Make {quote_ident(may['role'])} a member of the role that owns it.",
        )
    elif kind == "pg_publication_rel":
        yield Finding(
            Severity.KNOW,
            object_,
            f"publishes {old}: its subscribers get the new columns, too, from expand on, and all"
            f" of them as {change.apart} from the switch on"
            + (f", and as {change.new} again from contract on" if change.keeps_name else ""),
            hint="Prepare the subscribers' table before each of these.",
        )
    elif kind == "pg_trigger":
        yield _trigger(change, row)
    else:
        yield Finding(
            Severity.KNOW,
            object_,
            f"names {old}, and follows it when the switch makes it {change.apart}",
        )


def _rows(changes: Sequence[TableChange], catalog: Catalog) -> Iterator[Finding]:
    """What depends on which columns a table has."""
    for found in (o for change in changes for o in row_type.obstacles(change, catalog)):
        more = ": only the window strategy can convert it" if found.online_only else ""
        severity = Severity.KNOW if found.online_only else Severity.STOPS
        yield Finding(severity, found.object, f"{found.problem}{more}", hint=found.hint)


def _silence(change: TableChange, row: Mapping[str, Any]) -> Iterator[Finding]:
    """A trigger that the backfill would fire."""
    may_silence, role = row["may_silence"], row["role"]
    wakes = row["wakes"] and (not row["listed"] or _converted(change, row["listed"]))
    if wakes and row["enabled"] != "O":
        yield Finding(
            Severity.STOPS,
            row["object"],
            "is enabled as ALWAYS or REPLICA: the backfill of the online strategy would fire it",
            hint="Disable it until the backfill is done.",
        )
    elif wakes and not may_silence:
        yield Finding(
            Severity.STOPS,
            row["object"],
            "would be fired by the backfill of the online strategy: the role may not silence it",
            hint="Migrate as a superuser, or, from PostgreSQL 15 on: GRANT SET ON PARAMETER"
            f" session_replication_role TO {quote_ident(role)};",
        )


def _trigger(change: TableChange, row: Mapping[str, Any]) -> Finding:
    columns = [c for c in change.converted if row["body"] and mentions(row["body"], c)]
    if columns:
        return Finding(
            Severity.KNOW,
            row["object"],
            f"runs {row['function']}, whose text names {', '.join(columns)}: while both contracts "
            "live it fires before the new columns are filled, and afterwards sees new values",
            hint="Let it read both sides, or the new one alone, before the conversion.",
        )
    return Finding(
        Severity.KNOW, row["object"], f"stays on {change.new}, and fires for both contracts"
    )


def _outside_reference(
    tables: Mapping[Name, TableChange], row: Mapping[str, Any]
) -> Iterator[Finding]:
    parent = tables[Name(row["there_schema"], row["there"])]
    if named := _converted(parent, row["columns"]):
        child = Name(row["schema"], row["name"])
        yield Finding(
            Severity.STOPS,
            f"{child}.{row['constraint']}",
            f"references {named} of {parent.old}, which is converted, from a table that is not",
            hint=f"Name {child.name} and its column in standard.toml: a key is converted with all "
            "its references.",
        )


def _index(change: TableChange, row: Mapping[str, Any]) -> Iterator[Finding]:
    name = f"index {change.old.schema}.{row['index']}"
    if not row["valid"]:
        yield Finding(
            Severity.STOPS,
            name,
            "is invalid: a CREATE INDEX CONCURRENTLY that did not finish left it",
            hint=f"DROP INDEX CONCURRENTLY {quote_name(Name(change.old.schema, row['index']))};",
        )
    indexed = next((i for i in change.indexes if i.old_name == row["index"]), None)
    if row["tablespace"] and indexed is not None and indexed.converted and not row["may_create"]:
        there, role = quote_ident(row["tablespace"]), quote_ident(row["role"])
        yield Finding(
            Severity.STOPS,
            name,
            f"is in the tablespace {there}, in which the role {role} may not create the new one",
            hint=f"GRANT CREATE ON TABLESPACE {there} TO {role};",
        )
    for part in ("expressions", "predicate"):
        named = [c for c in change.converted if row[part] and mentions(row[part], c)]
        if not named or indexed is None:
            continue
        kind = "a predicate" if part == "predicate" else "an expression"
        has = f"has {kind} on {', '.join(named)}"
        if re.search(r"\b(?:lower|initcap)\(.*'", row[part]):
            yield Finding(
                Severity.STOPS,
                name,
                f"{has}, which means something else for the new values: {row[part]}",
                hint=_REMAKE,
            )
        elif indexed.new_method != indexed.method:
            yield Finding(Severity.KNOW, name, f"{has}: it becomes {indexed.new_method}")


def _table(
    change: TableChange, changes: Sequence[TableChange], catalog: Catalog
) -> Iterator[Finding]:
    relation, old = catalog.relations[change.old], str(change.old)
    if relation.kind == "p":
        parts = partition.change(relation, change.columns, catalog, names_taken(catalog))
        yield from _partitioned(replace(change, relation=relation, partitions=parts), changes)
    elif change.columns and (relation.parents or relation.children):
        kin = ", ".join(relation.parents or relation.children)
        yield Finding(
            Severity.STOPS,
            old,
            f"shares columns with {kin} by inheritance, which the generated files do not convert",
        )
    if change.keeps_name:
        path = f"{quote_ident(change.apart.schema)}, {quote_ident(change.old.schema)}"
        yield Finding(
            Severity.KNOW,
            old,
            "keeps its name: by the online strategy, its new contract stands in the schema "
            f"{change.apart.schema} from expand until contract",
            hint=f"Clients of the new contract: SET search_path = {path}; they need no other "
            "setting afterwards. pyorm looks there by itself.",
        )
    # The plan was made without what the generator refuses.
    for found in table.of_columns(replace(change, relation=relation)):
        yield Finding(Severity.STOPS, found.object, found.problem, hint=found.hint)
    if relation.row_security and catalog.version < 15:
        yield Finding(
            Severity.STOPS,
            old,
            "has row security, which a view of it keeps from PostgreSQL 15 on only",
            hint="Use the window strategy, or upgrade the server first.",
        )
    for column in relation.columns:
        if column.collation and column.name in change.converted:
            yield Finding(
                Severity.KNOW,
                f"{old}.{column.name}",
                f"is sorted by {column.collation}; the new column has the default collation",
            )
    yield from _checks(change)


def _partitioned(change: TableChange, changes: Sequence[TableChange]) -> Iterator[Finding]:
    obstacles = list(partition.obstacles(change, changes))
    for obstacle in obstacles:
        yield Finding(Severity.STOPS, str(change.old), obstacle.reason, hint=obstacle.hint)
    if not obstacles and change.old != change.new:
        yield Finding(
            Severity.KNOW,
            str(change.old),
            f"is partitioned: from the switch on it is {change.new}, partitions are added to that "
            "name, and what adds them on a schedule must name it",
            hint="Pause what adds and drops partitions from expand until enforce is done.",
        )


def _checks(change: TableChange) -> Iterator[Finding]:
    for constraint in change.relation.constraints:
        object_ = f"constraint {constraint.name} on {change.old}"
        if constraint.kind == "c" and (named := _converted(change, constraint.columns)):
            carried = next((k.name for k in change.checks if k.old_name == constraint.name), None)
            yield Finding(
                Severity.KNOW,
                object_,
                f"names {named}: "
                + (
                    f"it becomes {carried} for the new values"
                    if carried
                    else "it lists the old values, and the new CHECK replaces it"
                ),
            )


def _taken(object_: str, what: str) -> Finding:
    return Finding(
        Severity.STOPS,
        object_,
        f"has the name that {what} gets",
        hint="Rename it, or drop it when it is a leftover.",
    )


def _names(changes: Sequence[TableChange], taken: Sequence[Mapping[str, Any]]) -> Iterator[Finding]:
    found = {(Name(r["schema"], r["name"]), r["kind"]) for r in taken}
    for change in changes:
        if change.old != change.new and (change.new, "type") in found:
            yield _taken(f"type {change.new}", f"the table {change.old}")
        made = {
            (change.marker, "relation"): "the usage counter",
            (change.reversal, "relation"): "the reversal table",
            (change.sides, "relation"): "a view of both sides",
            (change.sync, "function"): "a trigger's function",
            (change.sync_switched, "function"): "a trigger's function",
            (change.sync_back, "function"): "a trigger's function",
            (change.forget, "function"): "a trigger's function",
        }
        for (name, kind), what in made.items():
            if (name, kind) in found:
                yield _taken(str(name), f"{what} of {change.old}")


def _function(tables: Mapping[Name, TableChange], row: Mapping[str, Any]) -> Iterator[Finding]:
    mentioned = [n for n in tables if mentions(row["body"], n.name)]
    kept = [str(n) for n in mentioned if tables[n].keeps_name]
    if kept:
        yield Finding(
            Severity.KNOW,
            row["object"],
            f"names {', '.join(kept)} in its text, as both contracts do: online, the search_path "
            "with which it runs says which one it uses until contract",
        )
    named = [str(n) for n in mentioned if not tables[n].keeps_name]
    if named:
        yield Finding(
            Severity.KNOW,
            row["object"],
            f"names {', '.join(named)} in its text: it keeps working, from the switch on "
            "through the compat view; contract refuses to run while it names the old table",
            sql=f"SELECT pg_get_functiondef({quote_literal(_signature(row['object']))}"
            "::regprocedure);",
            hint="Change it for the new contract between switch and contract.",
        )
    wide = [n for n in tables if tables[n].columns and mentions(row["body"], n.name)]
    if wide and (depends := row_type.depends_on_columns(row["body"])):
        yield Finding(
            Severity.KNOW,
            row["object"],
            f"takes all columns of a table ({depends}), perhaps of {', '.join(map(str, wide))}: "
            "from expand on that has the new columns, too",
            hint="Let it list the columns that it needs first.",
        )


def _signature(description: str) -> str:
    return description.partition(" ")[2]


def mentions(text: str, name: str) -> bool:
    """Whether SQL names an identifier, as far as its text tells."""
    code = re.sub(r"'(?:[^']|'')*'|--[^\n]*", "", text)
    quoted = quote_ident(name)
    if quoted != name:
        return quoted in code
    return (
        re.search(rf'(?<![\w$"]){re.escape(name)}(?![\w$"])|"{re.escape(name)}"', code) is not None
    )
