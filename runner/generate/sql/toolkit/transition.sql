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
