"""Views whose queries would run what somebody else made, with the rights of who migrates."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, LiteralString

from psycopg import Connection
from psycopg.rows import dict_row

from runner.generate.model import TableChange
from runner.preflight.report import Finding, Severity

# As trueup.require_own_views() asks in the files; one row a view.
_STRANGERS: LiteralString = """
WITH RECURSIVE tables AS (
    SELECT c.oid, c.relowner
    FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
    WHERE (n.nspname, c.relname) IN (SELECT * FROM unnest(%(schemas)s::text[], %(names)s::text[]))
),
shown AS (
    SELECT oid FROM tables
    UNION
    SELECT r.ev_class
    FROM shown AS s
    JOIN pg_depend AS d ON d.refclassid = 'pg_class'::regclass AND d.refobjid = s.oid
    JOIN pg_rewrite AS r ON d.classid = 'pg_rewrite'::regclass AND r.oid = d.objid
)
SELECT DISTINCT ON (c.oid) c.oid::regclass::text AS view, u.what, r.rolname AS owner,
    current_user AS role
FROM shown AS s
JOIN pg_class AS c ON c.oid = s.oid AND c.relkind IN ('v', 'm')
CROSS JOIN LATERAL (
    SELECT 'it' AS what, c.relowner AS owner
    UNION ALL
    SELECT p.oid::regprocedure::text, p.proowner
    FROM pg_rewrite AS w
    JOIN pg_depend AS d ON d.classid = 'pg_rewrite'::regclass AND d.objid = w.oid
    LEFT JOIN pg_operator AS o ON d.refclassid = 'pg_operator'::regclass AND o.oid = d.refobjid
    JOIN pg_proc AS p ON p.oid = CASE
        WHEN d.refclassid = 'pg_proc'::regclass THEN d.refobjid ELSE o.oprcode
    END
    WHERE w.ev_class = c.oid
) AS u
JOIN pg_roles AS r ON r.oid = u.owner
JOIN pg_database AS b ON b.datname = current_database()
WHERE NOT r.rolsuper
    AND NOT pg_has_role(r.oid, quote_ident(current_user)::regrole, 'MEMBER')
    AND NOT pg_has_role(r.oid, b.datdba, 'MEMBER')
    AND NOT EXISTS (SELECT FROM tables AS t WHERE pg_has_role(r.oid, t.relowner, 'MEMBER'))
ORDER BY c.oid, u.what
"""


def check_strangers(
    connection: Connection[Any], changes: Sequence[TableChange]
) -> Iterator[Finding]:
    """The views on tables that somebody else has a hand in.

    Args:
        connection: in a read-only transaction, as the role that will migrate.
        changes: the tables that are at the old contract.
    """
    names = [c.old.schema for c in changes], [c.old.name for c in changes]
    with connection.cursor(row_factory=dict_row) as cursor:
        found = cursor.execute(_STRANGERS, dict(zip(("schemas", "names"), names, strict=True)))
        for row in found.fetchall():
            yield Finding(
                Severity.STOPS,
                f"view {row['view']}",
                f"is asked what it shows, and could run code of {row['owner']} with the privileges"
                f" of the role {row['role']}: {row['what']} belongs to {row['owner']}",
                hint="Give it to the owner of the table (ALTER ... OWNER TO), or drop the view"
                " before, and make it again afterwards.",
            )
