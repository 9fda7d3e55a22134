"""The queries for what depends on tables that are to be converted."""

from __future__ import annotations

from typing import LiteralString

# Views, rules, policies, triggers, functions with an SQL body, statistics and publications, each
# with the columns that it names; then functions and columns that use a table's row type.
DEPENDENTS: LiteralString = """
WITH target AS (
    SELECT c.oid, c.reltype, n.nspname AS schema, c.relname AS name
    FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
    WHERE (n.nspname, c.relname) IN (SELECT * FROM unnest(%(schemas)s::text[], %(names)s::text[]))
), dependent AS (
    SELECT t.oid, t.schema, t.name, d.classid, d.objid, 0 AS objsubid,
        array_agg(DISTINCT a.attname::text ORDER BY a.attname::text)
            FILTER (WHERE a.attname IS NOT NULL) AS columns,
        false AS row_type
    FROM target AS t
    JOIN pg_depend AS d ON d.refclassid = 'pg_class'::regclass AND d.refobjid = t.oid
    LEFT JOIN pg_attribute AS a ON a.attrelid = t.oid AND a.attnum = d.refobjsubid
        AND d.refobjsubid > 0
    WHERE d.classid IN (
        'pg_rewrite'::regclass, 'pg_policy'::regclass, 'pg_trigger'::regclass,
        'pg_proc'::regclass, 'pg_statistic_ext'::regclass, 'pg_publication_rel'::regclass
    )
    GROUP BY 1, 2, 3, 4, 5
    UNION ALL
    SELECT DISTINCT t.oid, t.schema, t.name, d.classid, d.objid, d.objsubid, NULL::text[], true
    FROM target AS t
    JOIN pg_type AS y ON y.oid = t.reltype
    JOIN pg_depend AS d ON d.refclassid = 'pg_type'::regclass AND d.refobjid IN (y.oid, y.typarray)
    WHERE d.deptype = 'n'
        AND (d.classid = 'pg_proc'::regclass
            OR d.classid = 'pg_class'::regclass AND d.objsubid > 0
                AND (SELECT relkind FROM pg_class WHERE oid = d.objid) NOT IN ('v', 'm'))
)
SELECT d.schema, d.name, d.columns, d.row_type, c.relname::text AS catalog,
    coalesce(w.ev_class <> d.oid, false) AS is_view,
    CASE WHEN w.ev_class <> d.oid
        THEN pg_describe_object('pg_class'::regclass, w.ev_class, 0)
        ELSE pg_describe_object(d.classid, d.objid, d.objsubid) END AS object,
    coalesce(g.tgisinternal, false) AS internal,
    coalesce(g.tgenabled <> 'D' AND g.tgtype & 16 <> 0, false) AS wakes,
    ARRAY(
        SELECT a.attname::text FROM pg_attribute AS a
        WHERE a.attrelid = g.tgrelid AND a.attnum = ANY (g.tgattr::int2[])
    ) AS listed,
    coalesce(g.tgenabled, 'O') AS enabled,
    coalesce(
        (
            SELECT pg_has_role(p.pubowner, 'USAGE')
            FROM pg_publication_rel AS r JOIN pg_publication AS p ON p.oid = r.prpubid
            WHERE d.classid = 'pg_publication_rel'::regclass AND r.oid = d.objid
        ),
        true
    ) AS may_publish,
    f.oid IS NOT NULL AS has_function, f.proname AS function, f.prosrc AS body
FROM dependent AS d
JOIN pg_class AS c ON c.oid = d.classid
LEFT JOIN pg_rewrite AS w ON d.classid = 'pg_rewrite'::regclass AND w.oid = d.objid
LEFT JOIN pg_trigger AS g ON d.classid = 'pg_trigger'::regclass AND g.oid = d.objid
LEFT JOIN pg_proc AS f ON f.oid = g.tgfoid
ORDER BY d.schema, d.name, c.relname, object
"""

MAY_SILENCE: LiteralString = """
SELECT current_user AS role,
    has_parameter_privilege('session_replication_role', 'SET') AS may_silence
"""

IS_SUPERUSER: LiteralString = """
SELECT rolname AS role, rolsuper AS may_silence FROM pg_roles WHERE rolname = current_user
"""

FUNCTIONS: LiteralString = """
SELECT pg_describe_object('pg_proc'::regclass, p.oid, 0) AS object, p.prosrc AS body
FROM pg_proc AS p
JOIN pg_namespace AS n ON n.oid = p.pronamespace
WHERE n.nspname NOT IN ('pg_catalog', 'information_schema', 'trueup')
    AND p.prokind IN ('f', 'p') AND p.prosqlbody IS NULL
    AND NOT EXISTS (
        SELECT FROM pg_depend AS d
        WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e'
    )
ORDER BY 1
"""

REFERENCES: LiteralString = """
SELECT cn.nspname AS schema, c.relname AS name, k.conname AS constraint, pn.nspname AS there_schema,
    p.relname AS there,
    ARRAY(
        SELECT a.attname::text FROM pg_attribute AS a
        WHERE a.attrelid = k.confrelid AND a.attnum = ANY (k.confkey)
    ) AS columns
FROM pg_constraint AS k
JOIN pg_class AS c ON c.oid = k.conrelid
JOIN pg_namespace AS cn ON cn.oid = c.relnamespace
JOIN pg_class AS p ON p.oid = k.confrelid
JOIN pg_namespace AS pn ON pn.oid = p.relnamespace
WHERE k.contype = 'f' AND k.conparentid = 0
    AND (pn.nspname, p.relname) IN (SELECT * FROM unnest(%(schemas)s::text[], %(names)s::text[]))
    AND (cn.nspname, c.relname)
        NOT IN (SELECT * FROM unnest(%(schemas)s::text[], %(names)s::text[]))
ORDER BY 1, 2, 3
"""

INDEXES: LiteralString = """
SELECT n.nspname AS schema, t.relname AS name, i.relname AS index,
    pg_get_expr(x.indexprs, x.indrelid) AS expressions,
    pg_get_expr(x.indpred, x.indrelid) AS predicate,
    x.indisvalid AS valid, s.spcname AS tablespace,
    has_tablespace_privilege(s.oid, 'CREATE') AS may_create, current_user AS role
FROM pg_index AS x
JOIN pg_class AS i ON i.oid = x.indexrelid
JOIN pg_class AS t ON t.oid = x.indrelid
JOIN pg_namespace AS n ON n.oid = t.relnamespace
LEFT JOIN pg_tablespace AS s ON s.oid = i.reltablespace
WHERE (n.nspname, t.relname) IN (SELECT * FROM unnest(%(schemas)s::text[], %(names)s::text[]))
ORDER BY 1, 2, 3
"""

NAMES: LiteralString = """
SELECT n.nspname AS schema, c.relname AS name, 'relation' AS kind
FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE n.nspname = 'trueup' AND c.relkind <> 'i'
UNION ALL
SELECT n.nspname, p.proname, 'function'
FROM pg_proc AS p JOIN pg_namespace AS n ON n.oid = p.pronamespace
WHERE n.nspname = 'trueup' AND p.pronargs = 0
UNION ALL
SELECT n.nspname, t.typname, 'type'
FROM pg_type AS t JOIN pg_namespace AS n ON n.oid = t.typnamespace
WHERE n.nspname = ANY (%(schemas)s) AND t.typname = ANY (%(names)s) AND t.typelem = 0
"""

SCHEMAS: LiteralString = """
SELECT n.nspname AS name FROM pg_namespace AS n
WHERE n.nspname = ANY (%(names)s)
    AND coalesce(obj_description(n.oid, 'pg_namespace'), '') NOT LIKE 'trueup: %%'
"""

PUBLISHED: LiteralString = """
SELECT quote_ident(p.pubname) AS name, n.nspname AS schema FROM pg_publication_namespace AS s
JOIN pg_publication AS p ON p.oid = s.pnpubid
JOIN pg_namespace AS n ON n.oid = s.pnnspid
WHERE n.nspname = ANY (%(schemas)s)
ORDER BY 1, 2
"""
