{# What keeps owners, grants and keys right while both contracts live. #}
{% macro grants_and_keys() %}
-- The grants of two relations, or of two sides of a column, when they were made the same: what
-- differs later was changed on that one, and is carried over to the other.
CREATE TABLE IF NOT EXISTS trueup.grants (
    relation regclass, -- in a dump a name, and so the same after it is restored
    column_name name,
    acl aclitem[],
    PRIMARY KEY (relation, column_name)
);

-- Gives a relation the owner and the grants of another one, a view its row security too, and each column those of
-- its namesake; or, as a pair says, of another column. With one relation on both sides only the pairs count, in its
-- partitions too. With `since`, it only carries over what was granted and revoked on the source since that was given
-- the same.
CREATE OR REPLACE PROCEDURE trueup.give_grants(
    target regclass, source regclass, columns text[] DEFAULT '{}', since boolean DEFAULT false
)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    statement text;
    given record;
BEGIN
    FOR given IN
        SELECT t.relnamespace AS schema, t.relowner AS had, o.relowner AS owner, t.relkind = 'v' AND o.relrowsecurity AS secured
        FROM pg_class AS t JOIN pg_class AS o ON o.oid = source
        WHERE t.oid = target AND NOT since
    LOOP
        IF given.had <> given.owner THEN
            CALL trueup.give_to(format('TABLE %s', target), given.schema, given.owner);
        END IF;
        IF given.secured AND current_setting('server_version_num')::integer >= 150000 THEN
            EXECUTE format('ALTER VIEW %s SET (security_invoker = true)', target);
        END IF;
    END LOOP;

    FOR statement IN
        WITH relations (place, origin) AS (
            SELECT target, source
            UNION
            SELECT p.relid, p.relid FROM pg_partition_tree(target) AS p WHERE target = source AND NOT since
        ),
        places (place, on_column, has, gives, gave) AS (
            SELECT r.place, '', p.relacl, o.relacl, g.acl
            FROM relations AS r
            JOIN pg_class AS p ON p.oid = r.place
            JOIN pg_class AS o ON o.oid = r.origin
            LEFT JOIN trueup.grants AS g ON g.relation = r.origin AND g.column_name = ''
            WHERE r.place <> r.origin
            UNION ALL
            SELECT r.place, format(' (%I)', p.attname), p.attacl, o.attacl, g.acl
            FROM relations AS r
            JOIN pg_attribute AS p ON p.attrelid = r.place AND p.attnum > 0 AND NOT p.attisdropped
            LEFT JOIN generate_subscripts(columns, 1) AS n (pair) ON columns[n.pair][1] = p.attname
            JOIN pg_attribute AS o
                ON o.attrelid = r.origin AND NOT o.attisdropped AND o.attname = coalesce(columns[n.pair][2], p.attname)
            LEFT JOIN trueup.grants AS g ON g.relation = r.origin AND g.column_name = o.attname
            WHERE r.place <> r.origin OR n.pair IS NOT NULL
        ),
        was AS (
            SELECT p.place, p.on_column, a.grantee, a.privilege_type, a.is_grantable
            -- What the target has by default privileges, or of old, goes.
            FROM places AS p CROSS JOIN LATERAL aclexplode(CASE WHEN since THEN p.gave ELSE p.has END) AS a
        ),
        now AS (
            SELECT p.place, p.on_column, a.grantee, a.privilege_type, a.is_grantable
            FROM places AS p CROSS JOIN LATERAL aclexplode(p.gives) AS a
        ),
        gone AS (
            TABLE was EXCEPT TABLE now
        ),
        changed AS (
            SELECT 'REVOKE' AS verb, g.* FROM gone AS g
            UNION ALL
            SELECT 'GRANT', n.* FROM now AS n
            WHERE NOT since
                OR (n.place, n.on_column, n.grantee, n.privilege_type, n.is_grantable) NOT IN (TABLE was)
                -- Who may have got it from a role that loses it.
                OR EXISTS (
                    SELECT FROM gone AS g
                    WHERE g.privilege_type = n.privilege_type AND g.on_column IN ('', n.on_column)
                )
        )
        SELECT concat_ws(
            ' ', c.verb, c.privilege_type || c.on_column, 'ON', c.place::regclass,
            CASE c.verb WHEN 'GRANT' THEN 'TO' ELSE 'FROM' END, coalesce(quote_ident(r.rolname), 'PUBLIC'),
            CASE WHEN c.verb = 'REVOKE' THEN 'CASCADE' WHEN c.is_grantable THEN 'WITH GRANT OPTION' END
        )
        FROM changed AS c
        JOIN pg_class AS t ON t.oid = c.place
        LEFT JOIN pg_roles AS r ON r.oid = c.grantee
        WHERE c.grantee <> t.relowner AND (c.grantee = 0 OR r.oid IS NOT NULL)
        ORDER BY c.verb DESC
    LOOP
        EXECUTE statement;
    END LOOP;

    DELETE FROM trueup.grants AS g WHERE g.relation = CASE WHEN since THEN source ELSE target END;
    IF NOT since THEN
        INSERT INTO trueup.grants (relation, column_name, acl)
        SELECT c.oid, '', c.relacl FROM pg_class AS c WHERE c.oid = target
        UNION ALL
        SELECT a.attrelid, a.attname, a.attacl FROM pg_attribute AS a WHERE a.attrelid = target AND a.attnum > 0;
    END IF;
END
$$;

-- Stops the file when a function takes or gives whole rows of a table: of two contracts, one has it as a view,
-- whose rows are of another type.
CREATE OR REPLACE PROCEDURE trueup.require_no_functions(relation regclass)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    names text;
BEGIN
    SELECT string_agg(DISTINCT d.objid::regprocedure::text, ', ') INTO names
    FROM pg_class AS c
    JOIN pg_type AS t ON t.oid = c.reltype
    JOIN pg_depend AS d ON d.refclassid = 'pg_type'::regclass AND d.refobjid IN (t.oid, t.typarray)
    WHERE c.oid = relation AND d.classid = 'pg_proc'::regclass;
    IF names IS NOT NULL THEN
        RAISE EXCEPTION '%: its rows are taken or given whole by %', relation, names
            USING ERRCODE = 'object_not_in_prerequisite_state',
                HINT = 'Let it take the columns that it needs, or convert the table by the window strategy.';
    END IF;
END
$$;

-- Locks tables that clients lock in any order: it waits for one only while it holds no other, first for
-- the one that was not free the last time.
CREATE OR REPLACE PROCEDURE trueup.lock_tables(mode text, VARIADIC tables regclass[])
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    busy regclass := tables[1];
    waits boolean;
    one regclass;
BEGIN
    FOR attempt IN 1 .. 20 LOOP
        BEGIN
            waits := true;
            EXECUTE format('LOCK TABLE %s IN %s MODE', busy, mode);
            waits := false;
            FOREACH one IN ARRAY tables LOOP
                busy := one;
                EXECUTE format('LOCK TABLE %s IN %s MODE NOWAIT', busy, mode);
            END LOOP;
            RETURN;
        EXCEPTION
            WHEN lock_not_available THEN
                IF waits OR attempt = 20 THEN
                    RAISE;
                END IF;
        END;
    END LOOP;
END
$$;

-- Lets those who insert one key do so one after the other. While two unique indexes guard a key,
-- ON CONFLICT watches only one of them, and two sessions at the same moment could meet in the other.
-- A transaction takes at most 50 such locks, so that a bulk load does not fill the lock table.
CREATE OR REPLACE FUNCTION trueup.hold_key(key text, relation oid)
RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    held constant integer := coalesce(nullif(current_setting('trueup.keys_held', true), ''), '0');
BEGIN
    IF held < 50 THEN
        PERFORM set_config('trueup.keys_held', (held + 1)::text, true);
        PERFORM pg_advisory_xact_lock(hashtextextended(key, relation::bigint));
    END IF;
END
$$;

-- Stops the file when a partition that came later has no such index: building it would hold up all.
CREATE OR REPLACE PROCEDURE trueup.require_built(relation text, built name[], method text)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    late text;
BEGIN
    SELECT p.relid::regclass::text INTO late
    FROM pg_partition_tree(relation::regclass) AS p
    WHERE p.isleaf
        AND pg_relation_size(p.relid) > 1000 * current_setting('block_size')::bigint
        AND NOT EXISTS (
            SELECT FROM pg_index AS x
            JOIN pg_class AS i ON i.oid = x.indexrelid
            WHERE x.indrelid = p.relid
                AND x.indisvalid
                AND NOT i.relispartition
                AND (
                    i.relname = ANY (built)
                    OR substring(pg_get_indexdef(i.oid) FROM 'USING .*') = method
                )
        )
    LIMIT 1;
    IF late IS NOT NULL THEN
        RAISE EXCEPTION '% is a partition of % that has no index % yet', late, relation, method
            USING ERRCODE = 'object_not_in_prerequisite_state',
                HINT = format(
                    'Build it first, with UNIQUE if the others have it: '
                    'CREATE INDEX CONCURRENTLY ON %s %s;',
                    late, method
                );
    END IF;
END
$$;

-- Where contract was broken off before it came to an index, its rollback comes without it: builds the
-- index of a small table, and refuses a large one, which it would hold up.
CREATE OR REPLACE PROCEDURE trueup.require_index(relation text, index name, method text)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF to_regclass(relation) IS NULL -- a partition that is gone
        OR EXISTS (
            SELECT FROM pg_index AS x
            JOIN pg_class AS i ON i.oid = x.indexrelid
            WHERE x.indrelid = to_regclass(relation) AND x.indisvalid AND i.relname = index
        )
    THEN
        RETURN;
    END IF;
    IF pg_relation_size(relation::regclass) > 1000 * current_setting('block_size')::bigint THEN
        RAISE EXCEPTION '% has no index % yet', relation, index
            USING ERRCODE = 'object_not_in_prerequisite_state',
                HINT = format(
                    'Build it first: CREATE UNIQUE INDEX CONCURRENTLY %I ON %s %s;',
                    index, relation, method
                );
    END IF;
    EXECUTE format('CREATE UNIQUE INDEX %I ON %s %s', index, relation, method);
END
$$;
{% endmacro %}

{% macro transition() %}
-- The schema in which tables that keep their names stand with their new contract until the old one goes:
-- made where it is not there, for those who may use the tables' own schema. Refuses a schema in which
-- somebody else could put what clients of the new contract would take for a table.
CREATE OR REPLACE PROCEDURE trueup.open_transition(transition name, source name)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    -- pyorm knows the schema by it.
    comment constant text := format('trueup: the new contract of tables of %I, until contract', source);
    problem text;
    grantee text;
BEGIN
    IF NOT EXISTS (SELECT FROM pg_namespace AS n WHERE n.nspname = transition) THEN
        EXECUTE format('CREATE SCHEMA %I', transition);
        EXECUTE format('COMMENT ON SCHEMA %I IS %L', transition, comment);
        -- Default privileges may have given others more.
        FOR grantee IN
            SELECT coalesce(nullif(acl.grantee, 0)::regrole::text, 'PUBLIC')
            FROM pg_namespace AS n CROSS JOIN LATERAL aclexplode(n.nspacl) AS acl
            WHERE n.nspname = transition AND acl.grantee <> n.nspowner
        LOOP
            EXECUTE format('REVOKE ALL ON SCHEMA %I FROM %s', transition, grantee);
        END LOOP;
    END IF;

    SELECT
        CASE
            WHEN obj_description(n.oid, 'pg_namespace') IS DISTINCT FROM comment
            THEN 'was there before, and is not trueup''s'
            ELSE coalesce(r.rolname, 'PUBLIC') || ' could create in it'
        END
    INTO problem
    FROM pg_namespace AS n
    CROSS JOIN LATERAL (
        SELECT n.nspowner AS role_id
        UNION ALL
        SELECT acl.grantee FROM aclexplode(n.nspacl) AS acl WHERE acl.privilege_type = 'CREATE'
    ) AS c
    LEFT JOIN pg_roles AS r ON r.oid = c.role_id
    JOIN pg_database AS d ON d.datname = current_database()
    WHERE n.nspname = transition
        AND (
            obj_description(n.oid, 'pg_namespace') IS DISTINCT FROM comment
            OR NOT coalesce(r.rolsuper OR r.rolname = current_user OR r.oid = d.datdba, false)
        )
    LIMIT 1;
    IF problem IS NOT NULL THEN
        RAISE EXCEPTION 'schema %: %', transition, problem
            USING ERRCODE = 'object_not_in_prerequisite_state',
                HINT = 'Tables that keep their names stand there under their new contract: rename that schema, '
                    'take the right away, or convert these tables in a window.';
    END IF;

    -- Its subscribers would get no more rows of a table that leaves it.
    IF to_regclass('pg_catalog.pg_publication_namespace') IS NOT NULL THEN
        EXECUTE 'SELECT string_agg(p.pubname, '', '') FROM pg_publication_namespace AS s
            JOIN pg_publication AS p ON p.oid = s.pnpubid
            JOIN pg_namespace AS n ON n.oid = s.pnnspid WHERE n.nspname = $1'
        INTO problem USING source;
        IF problem IS NOT NULL THEN
            RAISE EXCEPTION 'the schema % is published as a whole by %', source, problem
                USING ERRCODE = 'object_not_in_prerequisite_state',
                    DETAIL = format('Tables that keep their names stand in %I for the while, and would leave it.', transition),
                    HINT = 'Publish the tables by name before, or convert these tables in a window.';
        END IF;
    END IF;

    FOR grantee IN
        SELECT DISTINCT coalesce(nullif(acl.grantee, 0)::regrole::text, 'PUBLIC')
        FROM pg_namespace AS n
        CROSS JOIN LATERAL aclexplode(coalesce(n.nspacl, acldefault('n', n.nspowner))) AS acl
        WHERE n.nspname = source AND acl.privilege_type = 'USAGE'
    LOOP
        EXECUTE format('GRANT USAGE ON SCHEMA %I TO %s', transition, grantee);
    END LOOP;
END
$$;

-- Drops that schema when nothing is in it any more.
CREATE OR REPLACE PROCEDURE trueup.close_transition(transition name)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF NOT EXISTS (
        SELECT FROM pg_depend AS d
        JOIN pg_namespace AS n ON n.oid = d.refobjid
        WHERE d.refclassid = 'pg_namespace'::regclass AND n.nspname = transition
    ) THEN
        EXECUTE format('DROP SCHEMA IF EXISTS %I', transition);
    END IF;
END
$$;
{% endmacro %}
