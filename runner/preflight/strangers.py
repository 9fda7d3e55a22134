"""What somebody else made and a run would use, with the rights of who migrates."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, LiteralString

from psycopg import Connection
from psycopg.rows import dict_row

from runner.generate.model import TableChange
from runner.ledger.tables import searched_schemas
from runner.preflight.report import Finding, Severity
from runner.quoting import quote_ident

# As trueup.require_own() asks in the files.
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
SELECT u.what, r.rolname AS owner, current_user AS role
FROM (
    SELECT 'view ' || c.oid::regclass AS what, c.relowner AS owner
    FROM shown AS s
    JOIN pg_class AS c ON c.oid = s.oid AND c.relkind IN ('v', 'm')
    UNION ALL
    SELECT format('type %%s of column %%I', t.oid::regtype, a.attname), t.typowner
    FROM tables AS c
    JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0
        -- What a view shows is compared in all its columns.
        AND (
            a.attname = ANY (%(converted)s)
            OR EXISTS (SELECT FROM shown AS s WHERE s.oid NOT IN (SELECT oid FROM tables))
        )
    JOIN pg_type AS y ON y.oid = a.atttypid
    JOIN pg_type AS t ON t.oid = coalesce(nullif(y.typelem, 0), nullif(y.typbasetype, 0), y.oid)
    UNION ALL
    SELECT format('function %%s in the view %%s', p.oid::regprocedure, c.oid::regclass), p.proowner
    FROM shown AS s
    JOIN pg_class AS c ON c.oid = s.oid AND c.relkind IN ('v', 'm')
    JOIN pg_rewrite AS w ON w.ev_class = c.oid
    JOIN pg_depend AS d ON d.classid = 'pg_rewrite'::regclass AND d.objid = w.oid
    LEFT JOIN pg_operator AS o ON d.refclassid = 'pg_operator'::regclass AND o.oid = d.refobjid
    JOIN pg_proc AS p ON p.oid = CASE
        WHEN d.refclassid = 'pg_proc'::regclass THEN d.refobjid ELSE o.oprcode
    END
) AS u
JOIN pg_roles AS r ON r.oid = u.owner
JOIN pg_database AS b ON b.datname = current_database()
WHERE NOT r.rolsuper
    AND NOT pg_has_role(r.oid, quote_ident(current_user)::regrole, 'MEMBER')
    AND NOT pg_has_role(r.oid, b.datdba, 'MEMBER')
    AND NOT EXISTS (SELECT FROM tables AS t WHERE pg_has_role(r.oid, t.relowner, 'MEMBER'))
ORDER BY u.what
"""


def check_strangers(
    connection: Connection[Any], changes: Sequence[TableChange]
) -> Iterator[Finding]:
    """The views on tables, the functions in them and the types of columns of somebody else.

    Args:
        connection: in a read-only transaction, as the role that will migrate.
        changes: the tables that are at the old contract.
    """
    wanted = {
        "schemas": [c.old.schema for c in changes],
        "names": [c.old.name for c in changes],
        "converted": sorted({name for c in changes for name in c.converted}),
    }
    with connection.cursor(row_factory=dict_row) as cursor:
        for row in cursor.execute(_STRANGERS, wanted).fetchall():
            yield Finding(
                Severity.STOPS,
                row["what"],
                f"belongs to {row['owner']}, whose code would run with the privileges of the role"
                f" {row['role']}",
                hint="Give it to the owner of the table (ALTER ... OWNER TO), or drop the view"
                " before, and make it again afterwards.",
            )


# As trueup.require_settings() asks in the files.
_CREATORS: LiteralString = """
SELECT n.nspname AS schema, r.rolname AS role
FROM pg_namespace AS n
CROSS JOIN LATERAL aclexplode(n.nspacl) AS acl
LEFT JOIN pg_roles AS r ON r.oid = acl.grantee
JOIN pg_database AS d ON d.datname = current_database()
WHERE n.nspname = ANY (%(path)s)
    AND acl.privilege_type = 'CREATE'
    AND acl.grantee <> n.nspowner
    AND NOT coalesce(r.rolsuper OR r.rolname = current_user OR r.oid = d.datdba, false)
    AND acl.grantee NOT IN (
        SELECT c.relowner
        FROM pg_class AS c JOIN pg_namespace AS s ON s.oid = c.relnamespace
        WHERE (s.nspname, c.relname) IN (
            SELECT * FROM unnest(%(schemas)s::text[], %(names)s::text[])
        )
    )
ORDER BY n.nspname, r.rolname
"""


def check_creators(
    connection: Connection[Any], changes: Sequence[TableChange]
) -> Iterator[Finding]:
    """Who could make operators and functions that an index would be built by.

    Args:
        connection: in a read-only transaction, as the role that will migrate.
        changes: the tables that are at the old contract.
    """
    if not any(c.names_operators for c in changes):
        return
    wanted = {
        "path": searched_schemas(connection),
        "schemas": [c.old.schema for c in changes],
        "names": [c.old.name for c in changes],
    }
    with connection.cursor(row_factory=dict_row) as cursor:
        for row in cursor.execute(_CREATORS, wanted).fetchall():
            role = "PUBLIC" if row["role"] is None else quote_ident(row["role"])
            yield Finding(
                Severity.STOPS,
                f"schema {row['schema']}",
                f"is in the search_path, and {role} may create in it: operators and functions of "
                "theirs would build an index with the privileges of who migrates",
                hint=f"REVOKE CREATE ON SCHEMA {quote_ident(row['schema'])} FROM {role};"
                " or leave the schema out of the search_path.",
            )
