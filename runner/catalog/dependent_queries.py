"""The queries for what stands on relations or uses them, such as triggers, views and functions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import LiteralString

# The schemas of what stands on relations, such as reports in a schema of their own.
DEPENDENT_SCHEMAS: LiteralString = """
WITH RECURSIVE users AS (
    SELECT c.oid, n.nspname
    FROM pg_class AS c
    JOIN pg_namespace AS n ON n.oid = c.relnamespace
    WHERE n.nspname = ANY (%(schemas)s) AND c.relkind IN ('r', 'p', 'v', 'm')
    UNION
    SELECT coalesce(v.oid, f.oid), n.nspname
    FROM users AS u
    JOIN pg_depend AS d
        ON d.refclassid = 'pg_class'::regclass AND d.refobjid = u.oid AND d.deptype = 'n'
    LEFT JOIN pg_rewrite AS r ON d.classid = 'pg_rewrite'::regclass AND r.oid = d.objid
    LEFT JOIN pg_class AS v ON v.oid = r.ev_class
    LEFT JOIN pg_proc AS f ON d.classid = 'pg_proc'::regclass AND f.oid = d.objid
    JOIN pg_namespace AS n ON n.oid = coalesce(v.relnamespace, f.pronamespace)
)
SELECT DISTINCT nspname FROM users
WHERE nspname NOT IN ('pg_catalog', 'information_schema', 'trueup')
ORDER BY 1
"""

TRIGGERS: LiteralString = """
SELECT t.tgrelid AS relation, t.tgname AS name, pg_get_triggerdef(t.oid) AS definition,
    t.tgenabled::text AS enabled, ARRAY[fn.nspname, f.proname] AS function,
    obj_description(t.oid, 'pg_trigger') AS comment
FROM pg_trigger AS t
JOIN pg_class AS c ON c.oid = t.tgrelid
JOIN pg_namespace AS n ON n.oid = c.relnamespace
JOIN pg_proc AS f ON f.oid = t.tgfoid
JOIN pg_namespace AS fn ON fn.oid = f.pronamespace
WHERE n.nspname = ANY (%(schemas)s) AND (
    NOT t.tgisinternal
    -- Before PostgreSQL 15 those that partitions have of their table are internal.
    OR t.tgparentid <> 0 AND NOT EXISTS (
        SELECT FROM pg_constraint AS k WHERE k.oid = t.tgconstraint AND k.contype = 'f'
    )
)
ORDER BY t.tgrelid, t.tgname
"""

POLICIES: LiteralString = """
SELECT p.polrelid AS relation, p.polname AS name, p.polcmd::text AS command,
    p.polpermissive AS permissive,
    ARRAY(
        SELECT coalesce(nullif(r, 0)::regrole::text, 'PUBLIC')
        FROM unnest(p.polroles) AS r ORDER BY 1
    ) AS roles,
    pg_get_expr(p.polqual, p.polrelid) AS using,
    pg_get_expr(p.polwithcheck, p.polrelid) AS with_check,
    obj_description(p.oid, 'pg_policy') AS comment
FROM pg_policy AS p
JOIN pg_class AS c ON c.oid = p.polrelid
JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE n.nspname = ANY (%(schemas)s)
ORDER BY p.polrelid, p.polname
"""

RULES: LiteralString = """
SELECT r.ev_class AS relation, r.rulename AS name, pg_get_ruledef(r.oid) AS definition,
    r.ev_enabled::text AS enabled, obj_description(r.oid, 'pg_rewrite') AS comment
FROM pg_rewrite AS r
JOIN pg_class AS c ON c.oid = r.ev_class
JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE n.nspname = ANY (%(schemas)s) AND r.rulename <> '_RETURN'
ORDER BY r.ev_class, r.rulename
"""

STATISTICS: LiteralString = """
SELECT s.stxrelid AS relation, sn.nspname AS schema, s.stxname AS name,
    pg_get_statisticsobjdef(s.oid) AS definition, pg_get_userbyid(s.stxowner) AS owner,
    nullif(s.stxstattarget, -1)::integer AS target,
    obj_description(s.oid, 'pg_statistic_ext') AS comment,
    ARRAY(
        SELECT a.attname FROM pg_depend AS d
        JOIN pg_attribute AS a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
        WHERE d.classid = 'pg_statistic_ext'::regclass AND d.objid = s.oid AND d.refobjsubid > 0
        ORDER BY 1
    ) AS columns
FROM pg_statistic_ext AS s
JOIN pg_namespace AS sn ON sn.oid = s.stxnamespace
JOIN pg_class AS c ON c.oid = s.stxrelid
JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE n.nspname = ANY (%(schemas)s)
ORDER BY s.stxrelid, s.stxname
"""

PUBLICATIONS: LiteralString = """
SELECT r.prrelid AS relation, p.pubname AS name,
    ARRAY(
        SELECT a.attname FROM unnest({columns}::int2[]) AS k (attnum)
        JOIN pg_attribute AS a ON a.attrelid = r.prrelid AND a.attnum = k.attnum ORDER BY 1
    ) AS columns,
    {where} AS where,
    ARRAY(
        SELECT DISTINCT a.attname FROM pg_depend AS d
        JOIN pg_attribute AS a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
        WHERE d.classid = 'pg_publication_rel'::regclass AND d.objid = r.oid
            AND d.refclassid = 'pg_class'::regclass AND d.refobjsubid > 0
        ORDER BY 1
    ) AS uses
FROM pg_publication_rel AS r
JOIN pg_publication AS p ON p.oid = r.prpubid
JOIN pg_class AS c ON c.oid = r.prrelid
JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE n.nspname = ANY (%(schemas)s)
UNION ALL
SELECT c.oid, p.pubname, '{{}}', NULL, '{{}}' -- those of a whole schema, from PostgreSQL 15 on
FROM pg_depend AS d
JOIN pg_depend AS s USING (classid, objid)
JOIN pg_publication AS p ON p.oid = d.refobjid AND d.refclassid = 'pg_publication'::regclass
JOIN pg_namespace AS n ON n.oid = s.refobjid AND s.refclassid = 'pg_namespace'::regclass
JOIN pg_class AS c ON c.relnamespace = n.oid AND c.relkind IN ('r', 'p') AND c.relpersistence = 'p'
WHERE d.classid = to_regclass('pg_catalog.pg_publication_namespace')
    AND n.nspname = ANY (%(schemas)s)
    AND NOT EXISTS (
        SELECT FROM pg_publication_rel AS r WHERE r.prpubid = p.oid AND r.prrelid = c.oid
    )
ORDER BY 1, 2
"""

# Since PostgreSQL 15 a publication may list columns and filter rows.
LISTS: Mapping[str, LiteralString] = {
    "columns": "r.prattrs",
    "where": "pg_get_expr(r.prqual, r.prrelid)",
}
NO_LISTS: Mapping[str, LiteralString] = {"columns": "NULL", "where": "NULL"}

DEPENDENTS: LiteralString = """
SELECT DISTINCT d.refobjid AS relation, d.objid AS tree, a.attname AS column,
    CASE
        WHEN r.rulename = '_RETURN' AND h.relkind = 'm' THEN 'materialized view'
        WHEN r.rulename = '_RETURN' THEN 'view'
        WHEN r.oid IS NOT NULL THEN 'rule'
        WHEN p.oid IS NOT NULL THEN 'policy'
        WHEN t.oid IS NOT NULL THEN 'trigger'
        WHEN s.oid IS NOT NULL THEN 'statistics'
        ELSE 'function'
    END AS kind,
    CASE
        WHEN h.oid IS NOT NULL THEN ARRAY[hn.nspname, h.relname]
        ELSE ARRAY[
            fn.nspname,
            quote_ident(f.proname) || '(' || pg_get_function_identity_arguments(f.oid) || ')'
        ]
    END AS host,
    coalesce(nullif(r.rulename, '_RETURN'), p.polname, t.tgname, s.stxname, '') AS name,
    CASE
        WHEN r.rulename = '_RETURN' THEN pg_describe_object('pg_class'::regclass, h.oid, 0)
        ELSE pg_describe_object(d.classid, d.objid, 0)
    END AS description,
    ARRAY(
        SELECT ARRAY[ln.nspname, l.relname]
        FROM pg_depend AS u
        JOIN pg_constraint AS k ON k.oid = u.refobjid
        JOIN pg_class AS l ON l.oid = k.conrelid
        JOIN pg_namespace AS ln ON ln.oid = l.relnamespace
        WHERE u.classid = d.classid AND u.objid = d.objid AND u.deptype = 'n'
            AND u.refclassid = 'pg_constraint'::regclass AND k.contype = 'p'
        ORDER BY 1
    ) AS groups_by
FROM pg_depend AS d
JOIN pg_class AS c ON c.oid = d.refobjid
JOIN pg_namespace AS n ON n.oid = c.relnamespace
LEFT JOIN pg_attribute AS a
    ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid AND d.refobjsubid > 0
LEFT JOIN pg_rewrite AS r ON d.classid = 'pg_rewrite'::regclass AND r.oid = d.objid
LEFT JOIN pg_policy AS p ON d.classid = 'pg_policy'::regclass AND p.oid = d.objid
LEFT JOIN pg_trigger AS t ON d.classid = 'pg_trigger'::regclass AND t.oid = d.objid
LEFT JOIN pg_statistic_ext AS s ON d.classid = 'pg_statistic_ext'::regclass AND s.oid = d.objid
LEFT JOIN pg_proc AS f ON d.classid = 'pg_proc'::regclass AND f.oid = d.objid
LEFT JOIN pg_namespace AS fn ON fn.oid = f.pronamespace
LEFT JOIN pg_class AS h ON h.oid = coalesce(r.ev_class, p.polrelid, t.tgrelid, s.stxrelid)
LEFT JOIN pg_namespace AS hn ON hn.oid = h.relnamespace
WHERE n.nspname = ANY (%(schemas)s) AND c.relkind IN ('r', 'p', 'v', 'm')
    AND d.refclassid = 'pg_class'::regclass AND d.deptype IN ('n', 'a')
    AND d.classid = ANY (
        ARRAY[
            'pg_rewrite', 'pg_policy', 'pg_trigger', 'pg_statistic_ext', 'pg_proc'
        ]::regclass[]
    )
    AND (t.oid IS NULL OR NOT t.tgisinternal)
ORDER BY 1, 7, 3
"""

FUNCTIONS: LiteralString = """
SELECT n.nspname AS schema,
    quote_ident(p.proname) || '(' || pg_get_function_identity_arguments(p.oid) || ')' AS signature,
    pg_get_functiondef(p.oid) AS definition, pg_get_userbyid(p.proowner) AS owner,
    {acl} AS acl, obj_description(p.oid, 'pg_proc') AS comment
FROM pg_proc AS p
JOIN pg_namespace AS n ON n.oid = p.pronamespace
WHERE n.nspname = ANY (%(schemas)s) AND p.prokind IN ('f', 'p')
    AND NOT EXISTS (
        SELECT FROM pg_depend AS d
        WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e'
    )
"""
