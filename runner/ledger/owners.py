"""Tables that got another owner, or row security, and what of trueup's did not follow them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from psycopg.rows import class_row

from runner.ledger.tables import hold_table, may_read
from runner.quoting import Name, quote_literal, quote_name

if TYPE_CHECKING:
    from psycopg import Connection


@dataclass(frozen=True)
class LeftBehind:
    """What did not follow a table, so that clients may fail, or see rows that are not theirs.

    Args:
        schema: the table's.
        table: its name.
        what: a trigger's function, the view of the other contract, or what these use.
        expected: what it should have.
        found: what it has.
        mended_by: the statement that mends it.
    """

    schema: str
    table: str
    what: str
    expected: str
    found: str
    mended_by: str

    @property
    def name(self) -> Name:
        """The table."""
        return Name(self.schema, self.table)

    def __str__(self) -> str:
        return (
            f"{self.what} of {self.name}: expected {self.expected}, found {self.found}:"
            f" {self.mended_by}"
        )


def mended_by(connection: Connection[Any], table: Name, alone: str) -> str:
    """The statement that gives a table's owner all of trueup's that is his.

    Args:
        connection: to the database.
        table: the table.
        alone: the statement for one object, which is what a toolkit made earlier leaves.
    """
    if not takes_a_table(connection):
        return alone
    return f"CALL trueup.hand_over({quote_literal(quote_name(table))});"


def takes_a_table(connection: Connection[Any]) -> bool:
    """Whether trueup.hand_over() takes a table alone; in a toolkit made earlier it does not."""
    query = """
        SELECT FROM pg_catalog.pg_proc AS p
        JOIN pg_catalog.pg_namespace AS n ON n.oid = p.pronamespace AND n.nspname = 'trueup'
        WHERE p.proname = 'hand_over' AND p.pronargdefaults > 0
    """
    return connection.execute(query).fetchone() is not None


# As trueup.share() in the files: a function's text names what it uses. REASSIGN OWNED gives the new
# owner what was the old one's, and none of the rights that the old one had been granted.
_LEFT_BEHIND = """
WITH ours AS (
    SELECT DISTINCT c.oid, c.relowner, n.nspname AS schema, c.relname AS table,
        s.oid AS place, f.proname, f.proowner, translate(f.prosrc, ';', ' ') AS source
    FROM pg_catalog.pg_proc AS f
    JOIN pg_catalog.pg_namespace AS s ON s.oid = f.pronamespace AND s.nspname = 'trueup'
    JOIN pg_catalog.pg_trigger AS t ON t.tgfoid = f.oid AND t.tgparentid = 0
    JOIN pg_catalog.pg_class AS c ON c.oid = t.tgrelid
    JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
    WHERE f.prosecdef
), compat AS (
    SELECT DISTINCT n.nspname AS schema, c.relname AS table, m.oid AS marker,
        m.relname AS marker_name, v.relowner AS view_owner,
        pg_catalog.format('%I.%I', vn.nspname, v.relname) AS view
    FROM pg_catalog.pg_class AS m
    JOIN pg_catalog.pg_namespace AS s ON s.oid = m.relnamespace AND s.nspname = 'trueup'
    JOIN pg_catalog.pg_depend AS d ON d.refobjid = m.oid
        AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass
        AND d.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass
    JOIN pg_catalog.pg_rewrite AS r ON r.oid = d.objid
    JOIN pg_catalog.pg_class AS v ON v.oid = r.ev_class AND v.relkind = 'v'
    JOIN pg_catalog.pg_namespace AS vn ON vn.oid = v.relnamespace
    JOIN pg_catalog.pg_depend AS o ON o.objid = r.oid AND o.classid = d.classid
        AND o.refclassid = d.refclassid
    JOIN pg_catalog.pg_class AS c ON c.oid = o.refobjid AND c.relkind IN ('r', 'p')
    JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
    WHERE m.relkind = 'm'
)
SELECT o.schema, o.table, pg_catalog.format('function trueup.%I', o.proname) AS what,
    'the owner ' || pg_catalog.pg_get_userbyid(o.relowner) AS expected,
    'the owner ' || pg_catalog.pg_get_userbyid(o.proowner) AS found,
    pg_catalog.format('ALTER FUNCTION trueup.%I() OWNER TO %I;',
        o.proname, pg_catalog.pg_get_userbyid(o.relowner)) AS mended_by
FROM ours AS o WHERE o.proowner <> o.relowner
UNION
SELECT o.schema, o.table, pg_catalog.format('function trueup.%I', o.proname),
    pg_catalog.format('%s on trueup.%I', p.privilege, u.relname),
    pg_catalog.format('the owner %s without it', pg_catalog.pg_get_userbyid(o.proowner)),
    pg_catalog.format('GRANT %s ON trueup.%I TO %I;',
        p.privilege, u.relname, pg_catalog.pg_get_userbyid(o.proowner))
FROM ours AS o
JOIN pg_catalog.pg_class AS u ON u.relnamespace = o.place AND u.relkind IN ('r', 'v', 'm')
    AND u.relowner <> o.proowner
    AND strpos(o.source, pg_catalog.format('trueup.%I ', u.relname)) > 0
JOIN (VALUES ('SELECT', ''), ('DELETE', 'DELETE FROM ')) AS p (privilege, verb)
    ON strpos(o.source, pg_catalog.format('%strueup.%I ', p.verb, u.relname)) > 0
WHERE NOT pg_catalog.has_table_privilege(o.proowner, u.oid, p.privilege)
UNION
SELECT v.schema, v.table, 'view ' || v.view,
    pg_catalog.format('SELECT on trueup.%I', v.marker_name),
    pg_catalog.format('the owner %s without it', pg_catalog.pg_get_userbyid(v.view_owner)),
    pg_catalog.format('GRANT SELECT ON trueup.%I TO %I;',
        v.marker_name, pg_catalog.pg_get_userbyid(v.view_owner))
FROM compat AS v WHERE NOT pg_catalog.has_table_privilege(v.view_owner, v.marker, 'SELECT')
ORDER BY 1, 2, 3, 4
"""
# The views of ours, by the table of the grants that they were given.
_VIEWS = """
SELECT DISTINCT n.nspname AS schema, c.relname AS table, 'view ' || o.view AS what,
    o.expected, o.found, pg_catalog.format('ALTER VIEW %s %s;', o.view, o.mended_by) AS mended_by
FROM trueup.grants AS g
JOIN pg_catalog.pg_class AS v ON v.oid = g.relation AND v.relkind = 'v'
JOIN pg_catalog.pg_namespace AS vn ON vn.oid = v.relnamespace
JOIN pg_catalog.pg_rewrite AS r ON r.ev_class = v.oid
JOIN pg_catalog.pg_depend AS d ON d.objid = r.oid
    AND d.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass
    AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass
JOIN pg_catalog.pg_class AS c ON c.oid = d.refobjid AND c.relkind IN ('r', 'p')
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
CROSS JOIN LATERAL (
    SELECT pg_catalog.format('%I.%I', vn.nspname, v.relname),
        'the owner ' || pg_catalog.pg_get_userbyid(c.relowner),
        'the owner ' || pg_catalog.pg_get_userbyid(v.relowner),
        pg_catalog.format('OWNER TO %I', pg_catalog.pg_get_userbyid(c.relowner))
    WHERE v.relowner <> c.relowner
    UNION ALL
    SELECT pg_catalog.format('%I.%I', vn.nspname, v.relname),
        'security_invoker, as row security needs', 'none', 'SET (security_invoker = true)'
    WHERE c.relrowsecurity AND current_setting('server_version_num')::integer >= 150000
        AND NOT EXISTS (
            SELECT FROM pg_catalog.pg_options_to_table(v.reloptions) AS x
            WHERE x.option_name = 'security_invoker' AND x.option_value::boolean
        )
) AS o (view, expected, found, mended_by)
ORDER BY 1, 2, 3, 4
"""


def find_left_behind(connection: Connection[Any], *, views: bool = True) -> list[LeftBehind]:
    """Find what a change of a table's owner, or new row security, left behind.

    Args:
        connection: to the database, in a transaction or not.
        views: whether the views of both contracts are looked at, too.

    Returns:
        One entry an object and fault, functions first; none where each owner has what is his. Of
        the views of both contracts it tells where the role may read `trueup.grants`.
    """
    with connection.transaction(), connection.cursor(row_factory=class_row(LeftBehind)) as cursor:
        found = cursor.execute(_LEFT_BEHIND).fetchall()
        if views and may_read(connection, "grants"):
            hold_table(connection, "trueup", "grants")
            found += cursor.execute(_VIEWS).fetchall()
    return [replace(x, mended_by=mended_by(connection, x.name, x.mended_by)) for x in found]
