"""The queries that read relations, and what they consist of, from PostgreSQL's catalog.

Definitions are the server's own (`pg_get_indexdef`, `pg_get_constraintdef`, ...), read with an
empty search_path, so that every name in them is qualified. Source: PostgreSQL manual, chapter
"System Catalogs".
"""

from __future__ import annotations

from typing import LiteralString

ACL: LiteralString = """
    ARRAY(
        SELECT coalesce(nullif(grantee, 0)::regrole::text, 'PUBLIC') || '=' || privilege_type
            || CASE WHEN is_grantable THEN '*' ELSE '' END
        FROM aclexplode({acl})
        ORDER BY 1
    )
"""

RELATIONS: LiteralString = """
SELECT c.oid, n.nspname AS schema, c.relname AS name, c.relkind::text AS kind,
    pg_get_userbyid(c.relowner) AS owner,
    {acl} AS acl,
    obj_description(c.oid, 'pg_class') AS comment,
    coalesce(c.reloptions, '{{}}') AS options, c.relpersistence::text AS persistence,
    c.relispopulated AS populated,
    (SELECT s.spcname FROM pg_tablespace AS s WHERE s.oid = c.reltablespace) AS tablespace,
    c.relrowsecurity AS row_security, c.relforcerowsecurity AS force_row_security,
    c.relreplident::text AS replica_identity,
    CASE
        WHEN c.relkind IN ('v', 'm') THEN pg_get_viewdef(c.oid)
        WHEN c.relkind = 'S' THEN (
            SELECT concat_ws(
                ' ', 'AS', s.seqtypid::regtype, 'START', s.seqstart, 'INCREMENT', s.seqincrement,
                'MINVALUE', s.seqmin, 'MAXVALUE', s.seqmax, 'CACHE', s.seqcache,
                CASE WHEN s.seqcycle THEN 'CYCLE' END
            )
            FROM pg_sequence AS s WHERE s.seqrelid = c.oid
        )
    END AS definition,
    ARRAY(
        SELECT i.inhparent::regclass::text FROM pg_inherits AS i
        WHERE i.inhrelid = c.oid ORDER BY i.inhseqno
    ) AS parents,
    ARRAY(
        SELECT i.inhrelid::regclass::text FROM pg_inherits AS i
        WHERE i.inhparent = c.oid ORDER BY 1
    ) AS children,
    CASE WHEN c.relkind = 'p' THEN pg_get_partkeydef(c.oid) END AS partition_key,
    ARRAY(
        SELECT a.attname FROM pg_depend AS d
        JOIN pg_attribute AS a ON a.attrelid = d.objid AND a.attnum = d.objsubid
        WHERE c.relkind = 'p' AND d.classid = 'pg_class'::regclass AND d.objid = c.oid
            AND d.refclassid = 'pg_class'::regclass AND d.refobjid = c.oid AND d.deptype = 'i'
        ORDER BY 1
    ) AS partition_columns,
    pg_get_expr(c.relpartbound, c.oid) AS partition_bound,
    (
        SELECT d.refobjid::regclass::text || '.' || a.attname
        FROM pg_depend AS d
        JOIN pg_attribute AS a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
        WHERE c.relkind = 'S' AND d.classid = 'pg_class'::regclass AND d.objid = c.oid
            AND d.deptype IN ('a', 'i')
    ) AS owned_by,
    (n.nspname, c.relname) IN (
        SELECT t.schemaname, t.tablename FROM pg_publication_tables AS t
        JOIN pg_publication AS p ON p.pubname = t.pubname AND p.pubupdate
    ) AS publishes_updates,
    current_setting('server_version_num')::integer >= 180000 AND EXISTS (
        SELECT FROM pg_attribute AS a
        WHERE a.attrelid = c.oid AND a.attgenerated <> '' AND NOT a.attisdropped
    ) AS hides_generated
FROM pg_class AS c
JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE n.nspname = ANY (%(schemas)s) AND c.relkind IN ('r', 'p', 'v', 'm', 'S', 'f')
"""

COLUMNS: LiteralString = """
SELECT a.attrelid AS relation, a.attname AS name,
    format_type(a.atttypid, a.atttypmod) AS type, a.attnotnull AS not_null,
    CASE WHEN a.attgenerated = '' THEN pg_get_expr(d.adbin, d.adrelid) END AS default,
    CASE WHEN a.attgenerated <> '' THEN pg_get_expr(d.adbin, d.adrelid) ELSE '' END AS generated,
    a.attgenerated = 'v' AS virtual,
    CASE
        WHEN a.attgenerated = '' THEN '{{}}'
        ELSE ARRAY(
            -- Before PostgreSQL 15 the column depends on them, since then its expression does.
            SELECT u.attname FROM pg_depend AS x
            JOIN pg_attribute AS u ON u.attrelid = x.refobjid AND u.attnum = x.refobjsubid
            WHERE x.refclassid = 'pg_class'::regclass AND x.refobjid = a.attrelid
                AND x.refobjsubid > 0 AND x.refobjsubid <> a.attnum
                AND (x.classid, x.objid, x.objsubid) IN (
                    ('pg_class'::regclass, a.attrelid, a.attnum::integer),
                    ('pg_attrdef'::regclass, d.oid, 0)
                )
            ORDER BY 1
        )
    END AS uses,
    a.attidentity::text AS identity,
    CASE WHEN a.attcollation <> t.typcollation THEN a.attcollation::regcollation::text END
        AS collation,
    a.attstorage::text AS storage, a.attstorage <> t.typstorage AS has_own_storage,
    a.attcompression::text AS compression,
    nullif(a.attstattarget, -1)::integer AS statistics_target,
    coalesce(a.attoptions, '{{}}') AS options,
    CASE WHEN a.attacl IS NULL THEN '{{}}'::text[] ELSE {acl} END AS acl,
    col_description(a.attrelid, a.attnum) AS comment,
    ARRAY[coalesce(en.nspname, tn.nspname), coalesce(e.typname, t.typname)] AS type_name,
    e.oid IS NOT NULL AS is_array,
    ARRAY(
        WITH RECURSIVE domain AS (
            SELECT y.oid, y.typbasetype, y.typnotnull FROM pg_type AS y
            WHERE y.typtype = 'd' AND y.oid IN (t.oid, e.oid)
            UNION ALL
            SELECT y.oid, y.typbasetype, y.typnotnull
            FROM domain AS d JOIN pg_type AS y ON y.oid = d.typbasetype WHERE y.typtype = 'd'
        )
        SELECT ARRAY[k.conname::text, pg_get_constraintdef(k.oid)]
        FROM domain AS d JOIN pg_constraint AS k ON k.contypid = d.oid AND k.contype = 'c'
        UNION ALL
        SELECT ARRAY['not_null', 'CHECK ((VALUE IS NOT NULL))'] FROM domain WHERE typnotnull
        ORDER BY 1
    ) AS rules,
    CASE WHEN t.typtype = 'd' THEN t.typdefault END AS type_default,
    coalesce(
        (SELECT l.collisdeterministic FROM pg_collation AS l WHERE l.oid = a.attcollation), true
    ) AS deterministic
FROM pg_attribute AS a
JOIN pg_class AS c ON c.oid = a.attrelid
JOIN pg_namespace AS n ON n.oid = c.relnamespace
JOIN pg_type AS t ON t.oid = a.atttypid
JOIN pg_namespace AS tn ON tn.oid = t.typnamespace
LEFT JOIN pg_type AS e ON e.oid = t.typelem AND t.typcategory = 'A'
LEFT JOIN pg_namespace AS en ON en.oid = e.typnamespace
LEFT JOIN pg_attrdef AS d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
WHERE n.nspname = ANY (%(schemas)s) AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
    AND a.attnum > 0 AND NOT a.attisdropped
ORDER BY a.attrelid, a.attnum
"""

CONSTRAINTS: LiteralString = """
SELECT k.conrelid AS relation, k.oid AS tree, k.conname AS name, k.contype::text AS kind,
    pg_get_constraintdef(k.oid) AS definition, k.convalidated AS validated,
    obj_description(k.oid, 'pg_constraint') AS comment, i.relname AS index,
    ARRAY(
        SELECT a.attname FROM unnest(k.conkey) WITH ORDINALITY AS x (attnum, position)
        JOIN pg_attribute AS a ON a.attrelid = k.conrelid AND a.attnum = x.attnum
        ORDER BY x.position
    ) AS columns,
    CASE WHEN fc.oid IS NOT NULL THEN ARRAY[fn.nspname, fc.relname] END AS references,
    ARRAY(
        SELECT a.attname FROM unnest(k.confkey) WITH ORDINALITY AS x (attnum, position)
        JOIN pg_attribute AS a ON a.attrelid = k.confrelid AND a.attnum = x.attnum
        ORDER BY x.position
    ) AS referenced_columns,
    k.coninhcount > 0 AS inherited, u.conname AS parent
FROM pg_constraint AS k
JOIN pg_class AS c ON c.oid = k.conrelid
JOIN pg_namespace AS n ON n.oid = c.relnamespace
LEFT JOIN pg_class AS i ON i.oid = k.conindid AND k.contype IN ('p', 'u', 'x')
LEFT JOIN pg_class AS fc ON fc.oid = k.confrelid
LEFT JOIN pg_namespace AS fn ON fn.oid = fc.relnamespace
LEFT JOIN pg_constraint AS u ON u.oid = k.conparentid
WHERE n.nspname = ANY (%(schemas)s) AND k.contype IN ('p', 'u', 'f', 'c', 'x', 'n')
    -- A foreign key to a partitioned table has a row for each partition too.
    AND u.conrelid IS DISTINCT FROM k.conrelid
ORDER BY k.conrelid, k.conname
"""

INDEXES: LiteralString = """
SELECT x.indrelid AS relation, x.indexrelid AS tree, i.relname AS name,
    pg_get_indexdef(x.indexrelid) AS definition,
    x.indisunique AS unique, x.indisvalid AS valid, x.indisclustered AS clustered,
    x.indisreplident AS replica_identity,
    (
        SELECT k.conname FROM pg_constraint AS k
        WHERE k.conindid = x.indexrelid AND k.contype IN ('p', 'u', 'x')
    ) AS constraint,
    obj_description(x.indexrelid, 'pg_class') AS comment,
    (
        SELECT p.relname FROM pg_inherits AS h JOIN pg_class AS p ON p.oid = h.inhparent
        WHERE h.inhrelid = x.indexrelid
    ) AS parent,
    ARRAY(
        SELECT a.attname FROM pg_depend AS d
        JOIN pg_attribute AS a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
        WHERE d.classid = 'pg_class'::regclass AND d.objid = x.indexrelid
            AND d.refclassid = 'pg_class'::regclass AND d.refobjid = x.indrelid
            AND d.refobjsubid > 0
        UNION
        SELECT a.attname FROM unnest(x.indkey) AS k (attnum)
        JOIN pg_attribute AS a ON a.attrelid = x.indrelid AND a.attnum = k.attnum
        WHERE k.attnum > 0
        ORDER BY 1
    ) AS columns,
    ARRAY(
        SELECT a.attname
        FROM unnest(x.indkey::int2[], x.indclass::oid[], x.indcollation::oid[])
            AS k (attnum, opclass, sorted_by)
        JOIN pg_attribute AS a ON a.attrelid = x.indrelid AND a.attnum = k.attnum
        JOIN pg_opclass AS o ON o.oid = k.opclass
        WHERE NOT o.opcdefault OR k.sorted_by <> a.attcollation
            OR NOT EXISTS (
                SELECT FROM pg_opclass AS u
                WHERE u.opcmethod = i.relam AND u.opcintype = 'uuid'::regtype AND u.opcdefault
            )
        ORDER BY 1
    ) AS not_for_uuid,
    coalesce(i.reloptions, '{}') AS options,
    (SELECT s.spcname FROM pg_tablespace AS s WHERE s.oid = i.reltablespace) AS tablespace,
    ARRAY(
        SELECT ARRAY[a.attnum, a.attstattarget] FROM pg_attribute AS a
        WHERE a.attrelid = i.oid AND a.attstattarget >= 0 ORDER BY 1
    ) AS statistics_targets
FROM pg_index AS x
JOIN pg_class AS i ON i.oid = x.indexrelid
JOIN pg_namespace AS n ON n.oid = i.relnamespace
WHERE n.nspname = ANY (%(schemas)s)
ORDER BY x.indrelid, i.relname
"""

# The parsed expressions that compare enums (3518 to 3521 are their operators), take the least or
# the greatest of them, or sort by them, or arrays or rows of them; of what is not PostgreSQL's own.
ORDERS: LiteralString = """
SELECT t.oid, t.tree, ARRAY(SELECT y.oid::text FROM pg_type AS y WHERE y.typtype = 'e') AS enums,
    ARRAY(SELECT y.typarray::text FROM pg_type AS y WHERE y.typtype = 'e') AS arrays
FROM (
    SELECT oid, concat(ev_action, ev_qual) AS tree FROM pg_rewrite
    UNION ALL SELECT oid, concat(polqual, polwithcheck) FROM pg_policy
    UNION ALL SELECT oid, tgqual::text FROM pg_trigger
    UNION ALL SELECT oid, stxexprs::text FROM pg_statistic_ext
    UNION ALL SELECT oid, prosqlbody::text FROM pg_proc
    UNION ALL SELECT oid, conbin::text FROM pg_constraint WHERE contype = 'c'
    UNION ALL SELECT indexrelid, concat(indexprs, indpred) FROM pg_index
) AS t
WHERE t.oid >= 16384 AND t.tree
    ~ '[ (](35(18|19|20|21|26|27)|107[2-5]|299[0-3]|205[01]|637[34])[ )]|MINMAX'
"""

TYPES: LiteralString = """
SELECT n.nspname AS schema, t.typname AS name, pg_get_userbyid(t.typowner) AS owner,
    ARRAY(
        SELECT e.enumlabel::text FROM pg_enum AS e WHERE e.enumtypid = t.oid
        ORDER BY e.enumsortorder
    ) AS labels,
    CASE WHEN t.typtype = 'd' THEN concat_ws(
        ' ', format_type(t.typbasetype, t.typtypmod), 'DEFAULT ' || t.typdefault,
        (SELECT string_agg(pg_get_constraintdef(k.oid), ' ' ORDER BY k.conname)
         FROM pg_constraint AS k WHERE k.contypid = t.oid)
    ) END AS definition
FROM pg_type AS t
JOIN pg_namespace AS n ON n.oid = t.typnamespace
WHERE t.typtype IN ('e', 'd') AND (
    n.nspname = ANY (%(schemas)s)
    -- A column's type may live in a schema of its own.
    OR t.oid IN (
        SELECT coalesce(nullif(ct.typelem, 0), ct.oid)
        FROM pg_attribute AS a
        JOIN pg_type AS ct ON ct.oid = a.atttypid
        JOIN pg_class AS c ON c.oid = a.attrelid
        JOIN pg_namespace AS cn ON cn.oid = c.relnamespace
        WHERE cn.nspname = ANY (%(schemas)s) AND c.relkind IN ('r', 'p')
    )
)
"""
