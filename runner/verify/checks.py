"""What a CHECK lets pass: asked of the server, so that the way it is written does not matter."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

from psycopg import Connection, sql

from runner.catalog import Column, Constraint
from runner.generate.wording.predicates import check_condition
from runner.preflight.reading import expression, fetch_all
from runner.quoting import Name
from runner.standard.model import JsonPath

_UNKNOWN = "TRUEUP-NO-SUCH-VALUE"


def own_functions(
    connection: Connection[Any], tables: Sequence[Name]
) -> dict[Name, frozenset[str]]:
    """The names of each table's CHECKs that call a function which is not PostgreSQL's own.

    Such a function could do anything, so these CHECKs are not evaluated.
    """
    rows = fetch_all(
        connection,
        sql.SQL(
            """
            SELECT n.nspname, c.relname, array_agg(DISTINCT k.conname::text)
            FROM pg_constraint AS k
            JOIN pg_class AS c ON c.oid = k.conrelid
            JOIN pg_namespace AS n ON n.oid = c.relnamespace
            JOIN pg_depend AS d ON d.classid = 'pg_constraint'::regclass AND d.objid = k.oid
            LEFT JOIN pg_type AS t ON d.refclassid = 'pg_type'::regclass AND t.oid = d.refobjid
            WHERE (
                    d.refclassid IN ('pg_proc'::regclass, 'pg_operator'::regclass)
                    -- A domain's CHECKs may call some, too.
                    OR t.typtype = 'd'
                )
                AND (n.nspname, c.relname) IN (
                    SELECT * FROM unnest({}::text[], {}::text[])
                )
            GROUP BY n.nspname, c.relname
            """
        ).format(sql.Literal([t.schema for t in tables]), sql.Literal([t.name for t in tables])),
    )
    return {Name(schema, table): frozenset(names) for schema, table, names in rows}


def accepted(
    connection: Connection[Any], column: Column, constraint: Constraint, values: Iterable[str]
) -> frozenset[str]:
    """The values that a CHECK on one column lets pass.

    Args:
        connection: in a read-only transaction.
        column: the column, varchar or an array of it.
        constraint: the CHECK, which calls PostgreSQL's own functions only.
        values: the enum's values.

    Returns:
        Those of the enum's values, of their other cases, of the CHECK's own literals and of a value
        that nobody means, that pass.
    """
    candidates = set(values) | set(_literals(constraint.definition)) | {"", _UNKNOWN}
    candidates |= {case for v in values for case in (v.lower(), v.title())}
    value = sql.SQL("ARRAY[tried]::varchar[]" if column.is_array else "tried::varchar")
    return _passing(connection, column, constraint, value, candidates)


def accepted_at(
    connection: Connection[Any], column: Column, constraint: Constraint, path: JsonPath
) -> frozenset[str]:
    """The texts that the CHECK of a JSON column lets pass at a path, in an object."""
    values = path.enum.values
    candidates = {*values, *_literals(constraint.definition), "", _UNKNOWN}
    candidates |= {case for v in values for case in (v.lower(), v.title())}
    value: sql.SQL | sql.Composed = sql.SQL("to_jsonb(tried)")
    for key in reversed(path.keys):
        value = sql.SQL("jsonb_build_object({}, {})").format(sql.Literal(key), value)
    value = sql.SQL("({})::{}").format(value, sql.SQL("json" if column.type == "json" else "jsonb"))
    return _passing(connection, column, constraint, value, candidates)


def accepted_integers(
    connection: Connection[Any], column: Column, constraint: Constraint, values: Iterable[int]
) -> frozenset[int]:
    """The same for the CHECK of an integer column; tried are its numbers and their neighbours."""
    known = {*values, *map(int, re.findall(r"-?\b\d{1,9}\b", constraint.definition))}
    candidates = {str(number + step) for number in known | {0} for step in (-1, 0, 1)}
    passing = _passing(connection, column, constraint, sql.SQL("tried::bigint"), candidates)
    return frozenset(map(int, passing))


def _passing(
    connection: Connection[Any],
    column: Column,
    constraint: Constraint,
    value: sql.SQL | sql.Composed,
    candidates: Iterable[str],
) -> frozenset[str]:
    query = sql.SQL(
        "SELECT tried FROM (SELECT tried, {} AS {} FROM unnest({}::text[]) AS tried) AS one_row"
        " WHERE coalesce(({}), true)"
    ).format(
        value,
        sql.Identifier(column.name),
        sql.Literal(sorted(candidates)),
        expression(check_condition(constraint.definition)),
    )
    return frozenset(row[0] for row in fetch_all(connection, query))


def _literals(definition: str) -> list[str]:
    texts = [text.replace("''", "'") for text in re.findall(r"'((?:[^']|'')*)'", definition)]
    # `= ANY ('{A,B}'::text[])` is one literal with many values.
    inner = [v for t in texts if t.startswith("{") for v in t.strip("{}").split(",")]
    return [*texts, *inner]
