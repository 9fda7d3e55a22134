{# What a file finds on its table, here and on other servers. #}
{% macro guard() %}
-- What stands on a table and a file could drop or give another meaning: a line each, without what
-- is trueup's own.
CREATE OR REPLACE FUNCTION trueup.standing(relation regclass)
RETURNS SETOF text LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT concat(
        'column ', a.attname,
        CASE WHEN a.attnotnull THEN ' NOT NULL' END,
        CASE WHEN a.atthasdef OR a.attidentity <> '' THEN ' DEFAULT' END
    )
    FROM pg_attribute AS a
    WHERE a.attrelid = relation AND a.attnum > 0 AND NOT a.attisdropped
    UNION ALL
    SELECT concat_ws(' ', kinds.kind, k.conname, '(' || (
        SELECT coalesce(string_agg(a.attname::text, ', ' ORDER BY a.attname), '')
        FROM pg_attribute AS a
        WHERE a.attrelid = k.conrelid AND a.attnum = ANY (k.conkey)
    ) || ')', (
        SELECT 'TABLESPACE ' || s.spcname FROM pg_class AS c JOIN pg_tablespace AS s ON s.oid = c.reltablespace
        WHERE c.oid = k.conindid AND k.contype <> 'f'
    ))
    FROM pg_constraint AS k
    JOIN (
        VALUES ('p', 'primary key'), ('u', 'unique'), ('x', 'exclude'), ('c', 'check'), ('f', 'foreign key')
    ) AS kinds (contype, kind) ON kinds.contype = k.contype::text
    WHERE k.conrelid = relation AND k.conparentid = 0
    UNION ALL
    SELECT concat(
        CASE WHEN NOT i.indisvalid THEN 'invalid ' END, CASE WHEN i.indisunique THEN 'unique ' END,
        'index ', c.relname, ' ', replace(CASE
            WHEN i.indexprs IS NULL AND i.indpred IS NULL THEN regexp_replace(
                regexp_replace(pg_get_indexdef(c.oid), '^("[^"]*"|[^"])*? USING ', 'USING '),
                ' WITH \([^"()]*\)$', ''
            )
            -- Of an expression's text a restored server prints another; what it is made of stays.
            ELSE concat('USING ', m.amname, ' (', (
                SELECT string_agg(coalesce(a.attname::text, '(...)'), ', ' ORDER BY k.place)
                FROM unnest(i.indkey::int2[]) WITH ORDINALITY AS k (attnum, place)
                LEFT JOIN pg_attribute AS a ON a.attrelid = relation AND a.attnum = k.attnum
                WHERE k.place <= i.indnkeyatts
            ), ')', CASE WHEN i.indpred IS NOT NULL THEN ' WHERE (...)' END, ' on ', (
                SELECT string_agg(a.attname::text, ', ' ORDER BY a.attname)
                FROM pg_attribute AS a
                WHERE a.attrelid = relation AND (a.attnum = ANY (i.indkey::int2[]) OR EXISTS (
                    SELECT FROM pg_depend AS d
                    WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid
                        AND d.refclassid = 'pg_class'::regclass AND d.refobjid = relation
                        AND d.refobjsubid = a.attnum AND a.attnum > 0
                ))
            ))
        END, '"', ''), ' TABLESPACE ' || s.spcname
    )
    FROM pg_index AS i
    JOIN pg_class AS c ON c.oid = i.indexrelid
    JOIN pg_am AS m ON m.oid = c.relam
    LEFT JOIN pg_tablespace AS s ON s.oid = c.reltablespace
    WHERE i.indrelid = relation AND NOT EXISTS (
        SELECT FROM pg_constraint AS k WHERE k.conindid = i.indexrelid AND k.contype IN ('p', 'u', 'x')
    )
    UNION ALL
    SELECT 'statistics ' || s.stxname FROM pg_statistic_ext AS s WHERE s.stxrelid = relation
    UNION ALL
    SELECT 'trigger ' || t.tgname FROM pg_trigger AS t
    JOIN pg_proc AS p ON p.oid = t.tgfoid
    WHERE t.tgrelid = relation AND NOT t.tgisinternal AND p.pronamespace <> 'trueup'::regnamespace
    UNION ALL
    SELECT 'rule ' || r.rulename FROM pg_rewrite AS r WHERE r.ev_class = relation
    UNION ALL
    SELECT 'policy ' || p.polname FROM pg_policy AS p WHERE p.polrelid = relation
    UNION ALL
    SELECT 'row level security' FROM pg_class AS c WHERE c.oid = relation AND c.relrowsecurity
    UNION ALL
    SELECT 'force row level security' FROM pg_class AS c WHERE c.oid = relation AND c.relforcerowsecurity
    UNION ALL
    SELECT 'inheritance' WHERE EXISTS (
        SELECT FROM pg_inherits AS i JOIN pg_class AS c ON c.oid = i.inhrelid
        WHERE relation IN (i.inhrelid, i.inhparent) AND NOT c.relispartition
    )
    UNION ALL
    SELECT 'publication ' || p.pubname FROM pg_publication AS p
    WHERE EXISTS (SELECT FROM pg_publication_rel AS r WHERE r.prpubid = p.oid AND r.prrelid = relation)
        -- From PostgreSQL 15 on it may be of a whole schema.
        OR EXISTS (
            SELECT FROM pg_depend AS d
            JOIN pg_depend AS s USING (classid, objid)
            JOIN pg_class AS c ON c.relnamespace = s.refobjid AND c.relpersistence = 'p'
            WHERE d.classid = to_regclass('pg_catalog.pg_publication_namespace')
                AND d.refclassid = 'pg_publication'::regclass AND d.refobjid = p.oid
                AND s.refclassid = 'pg_namespace'::regclass AND c.oid = relation
        )
    UNION ALL
    SELECT DISTINCT concat('view ', n.nspname, '.', v.relname)
    FROM pg_depend AS d
    JOIN pg_rewrite AS r ON r.oid = d.objid
    JOIN pg_class AS v ON v.oid = r.ev_class
    JOIN pg_namespace AS n ON n.oid = v.relnamespace
    WHERE d.classid = 'pg_rewrite'::regclass AND d.refclassid = 'pg_class'::regclass
        AND d.refobjid = relation AND v.oid <> relation AND v.relkind IN ('v', 'm') AND n.nspname <> 'trueup'
        AND NOT pg_is_other_temp_schema(n.oid) AND n.oid <> pg_my_temp_schema()
$$;

-- Stops the file when a table is not as it was when the file was written. All that is expected must be there, and no
-- more but what may be: row security of a later day, what a rollback that was broken off left. Of an index the name
-- alone may be expected, or all but its tablespace.
CREATE OR REPLACE PROCEDURE trueup.require_same(relation regclass, expected text[], may_be text[] DEFAULT '{}')
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    standing constant text[] := ARRAY(SELECT trueup.standing(relation));
    difference text;
BEGIN
    SELECT string_agg(d.sign || d.line, E'\n' ORDER BY d.sign DESC, d.line) INTO difference
    FROM (
        SELECT 'unknown here: ', s FROM unnest(standing) AS s
        WHERE NOT EXISTS (
            SELECT FROM unnest(expected || may_be) AS e
            WHERE s = e OR starts_with(s, e || ' USING ') OR starts_with(s, e || ' TABLESPACE ')
                OR e = 'policy *' AND starts_with(s, 'policy ')
        )
        UNION ALL
        SELECT 'missing: ', e FROM unnest(expected) AS e
        WHERE NOT EXISTS (
            SELECT FROM unnest(standing) AS s
            WHERE s = e OR starts_with(s, e || ' USING ') OR starts_with(s, e || ' TABLESPACE ')
        )
    ) AS d (sign, line);
    IF difference IS NOT NULL THEN
        RAISE EXCEPTION '% is not as this file was written for', relation
            USING ERRCODE = 'object_not_in_prerequisite_state', DETAIL = difference,
                HINT = CASE WHEN difference ~ 'unknown here: (force )?row level security' THEN
                    'Row security, before contract: roll back to the baseline, which leaves it on, and generate '
                    'the files anew. ' ELSE '' END ||
                    'Bring the table to what the file lists, and make again afterwards what it does '
                    'not know; before expand, generate the files anew.';
    END IF;
END
$$;

-- Stops the file when one partition has something of its own on columns that are converted: it would go with them.
CREATE OR REPLACE PROCEDURE trueup.require_alike(relation regclass, converted text[])
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    own text;
BEGIN
    WITH parts AS (
        SELECT p.relid, (
            SELECT array_agg(a.attnum) FROM pg_attribute AS a
            WHERE a.attrelid = p.relid AND a.attname = ANY (converted)
        ) AS columns
        FROM pg_partition_tree(relation) AS p
        WHERE p.relid <> relation
    )
    SELECT string_agg(format('%s: %s', p.relid::regclass, o.name), E'\n' ORDER BY o.name) INTO own
    FROM parts AS p
    CROSS JOIN LATERAL (
        SELECT 'constraint ' || k.conname FROM pg_constraint AS k
        WHERE k.conrelid = p.relid AND k.contype <> 'n' AND k.conparentid = 0 AND k.coninhcount = 0
            AND k.conkey && p.columns
        UNION ALL
        SELECT 'index ' || c.relname FROM pg_index AS i
        JOIN pg_class AS c ON c.oid = i.indexrelid
        WHERE i.indrelid = p.relid AND NOT c.relispartition AND EXISTS (
            SELECT FROM pg_depend AS d
            WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid
                AND d.refclassid = 'pg_class'::regclass AND d.refobjid = p.relid AND d.refobjsubid = ANY (p.columns)
        )
        UNION ALL
        SELECT 'statistics ' || s.stxname FROM pg_statistic_ext AS s
        WHERE s.stxrelid = p.relid AND s.stxkeys::int2[] && p.columns
    ) AS o (name);
    IF own IS NOT NULL THEN
        RAISE EXCEPTION 'partitions of % have what % has not', relation, relation
            USING ERRCODE = 'object_not_in_prerequisite_state', DETAIL = own,
                HINT = 'Make it for all partitions, or drop it.';
    END IF;
END
$$;
{% endmacro %}

{% macro servers() %}
-- Names the NOT NULL constraints of some columns after a table, and after the columns without an ending;
-- before PostgreSQL 18 they have none.
CREATE OR REPLACE PROCEDURE trueup.rename_not_nulls(
    relation regclass, table_name text, columns name[], ending text DEFAULT ''
)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    item record;
    table_part text;
    column_part text;
    new_name text;
BEGIN
    FOR item IN
        SELECT k.conname AS old_name, a.attname AS column_name
        FROM pg_constraint AS k
        JOIN pg_attribute AS a ON a.attrelid = k.conrelid AND a.attnum = k.conkey[1]
        WHERE k.conrelid = relation AND k.contype = 'n' AND a.attname = ANY (columns)
    LOOP
        -- As PostgreSQL does it: of a name that is too long, the longer part is cut.
        table_part := table_name;
        column_part := regexp_replace(item.column_name, ending || '$', '');
        WHILE octet_length(table_part) + octet_length(column_part) > 53 LOOP
            IF octet_length(table_part) > octet_length(column_part) THEN
                table_part := left(table_part, -1);
            ELSE
                column_part := left(column_part, -1);
            END IF;
        END LOOP;
        new_name := format('%s_%s_not_null', table_part, column_part);

        -- PostgreSQL renames it in the partitions too, where it must have the same name.
        IF NOT EXISTS (
            SELECT FROM pg_constraint AS k WHERE k.conrelid = relation AND k.conname = new_name
        ) AND NOT EXISTS (
            SELECT FROM pg_partition_tree(relation) AS p
            WHERE NOT EXISTS (
                SELECT FROM pg_constraint AS k
                WHERE k.conrelid = p.relid AND k.contype = 'n' AND k.conname = item.old_name
            )
        ) THEN
            EXECUTE format(
                'ALTER TABLE %s RENAME CONSTRAINT %I TO %I', relation, item.old_name, new_name
            );
        END IF;
    END LOOP;
END
$$;

-- Gives the NOT NULL constraint of a column a name and a comment of its own, where there is one.
CREATE OR REPLACE PROCEDURE trueup.name_not_null(relation regclass, column_name name, wanted name, note text)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    named name;
    other oid;
BEGIN
    SELECT k.conname INTO named
    FROM pg_constraint AS k
    JOIN pg_attribute AS a ON a.attrelid = k.conrelid AND a.attnum = k.conkey[1]
    WHERE k.conrelid = relation AND k.contype = 'n' AND a.attname = column_name;
    IF named IS NULL THEN
        RETURN;
    END IF;
    IF named <> wanted THEN
        -- Another column's may have it until it gets its own.
        SELECT k.oid INTO other
        FROM pg_constraint AS k
        WHERE k.conrelid = relation AND k.contype = 'n' AND k.conname = wanted;
        IF other IS NOT NULL THEN
            EXECUTE format(
                'ALTER TABLE %s RENAME CONSTRAINT %I TO %I', relation, wanted, 'trueup_' || other
            );
        END IF;
        EXECUTE format('ALTER TABLE %s RENAME CONSTRAINT %I TO %I', relation, named, wanted);
    END IF;
    EXECUTE format('COMMENT ON CONSTRAINT %I ON %s IS %L', wanted, relation, note);
END
$$;

-- Runs a statement about a partition, unless the partition has been dropped in the meantime.
CREATE OR REPLACE PROCEDURE trueup.if_there(partition_name text, statement text)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF to_regclass(partition_name) IS NOT NULL THEN
        EXECUTE statement;
    END IF;
END
$$;
{% endmacro %}
