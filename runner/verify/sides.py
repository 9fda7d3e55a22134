"""What the triggers' functions read, and with whose rights."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from psycopg import Connection, sql

from runner.ledger.owners import find_left_behind
from runner.preflight.reading import fetch_all
from runner.quoting import Name
from runner.verify.report import Distance, State

# A trigger's function is text, so PostgreSQL keeps nobody from dropping what it reads.
_READ_BY_TRIGGERS = sql.SQL(
    """
    SELECT DISTINCT n.nspname, c.relname, sides[1], v.oid IS NOT NULL
    FROM pg_catalog.pg_proc AS f
    JOIN pg_catalog.pg_namespace AS s ON s.oid = f.pronamespace AND s.nspname = 'trueup'
    JOIN pg_catalog.pg_trigger AS t ON t.tgfoid = f.oid
    JOIN pg_catalog.pg_class AS c ON c.oid = t.tgrelid
    JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
    CROSS JOIN LATERAL regexp_matches(
        f.prosrc, 'FROM trueup\\.("(?:[^"]|"")+"|[[:alnum:]_$]+) AS p ', 'g') AS sides
    LEFT JOIN pg_catalog.pg_class AS v ON v.relnamespace = s.oid AND v.relkind = 'v'
        AND pg_catalog.quote_ident(v.relname) = sides[1]
    ORDER BY 1, 2, 3
    """
)
_LEFT = sql.SQL(
    """
    SELECT n.nspname, c.relname, pg_catalog.quote_ident(v.relname)
    FROM pg_catalog.pg_class AS v
    JOIN pg_catalog.pg_namespace AS s ON s.oid = v.relnamespace AND s.nspname = 'trueup'
    JOIN pg_catalog.pg_rewrite AS r ON r.ev_class = v.oid
    JOIN pg_catalog.pg_depend AS d ON d.classid = 'pg_catalog.pg_rewrite'::regclass
        AND d.objid = r.oid AND d.refclassid = 'pg_catalog.pg_class'::regclass
        AND d.refobjid <> v.oid
    JOIN pg_catalog.pg_class AS c ON c.oid = d.refobjid
    JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
    WHERE v.relkind = 'v' AND v.relname LIKE '%\\_sides'
    GROUP BY 1, 2, 3
    ORDER BY 1, 2, 3
    """
)


def sides(
    connection: Connection[Any],
    tables: Mapping[Name, Name],
    states: Sequence[tuple[Name, State]],
) -> Iterator[Distance]:
    """List what the functions of triggers lack, and the views that nobody needs any more.

    Args:
        connection: in a read-only transaction.
        tables: the names of the standard's tables under it, by those that they have now.
        states: of the standard's tables, by their names under it.
    """
    new = {name for name, state in states if state is State.NEW}
    for schema, table, view, is_there in fetch_all(connection, _READ_BY_TRIGGERS):
        if not is_there:
            name = Name(schema, table)
            expected = f"the view that the trigger of {name} reads"
            yield Distance(tables.get(name), f"view trueup.{view}", expected, "none")
    for left in find_left_behind(connection, views=False):
        found = f"{left.found}: {left.mended_by}"
        yield Distance(tables.get(left.name), f"{left.what} of {left.name}", left.expected, found)
    for schema, table, view in fetch_all(connection, _LEFT):
        shown = tables.get(Name(schema, table))
        if shown in new:
            yield Distance(shown, f"view trueup.{view}", "gone", "a view")
