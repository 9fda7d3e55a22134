-- Whoever owns the schema or something in it, or may create there, could give the functions below
-- another meaning, and they run with the rights of others.
DO $$
DECLARE
    wrong record;
BEGIN
    SELECT coalesce(quote_ident(r.rolname), 'PUBLIC') AS role, o.what INTO wrong
    FROM (
        SELECT n.nspowner, 'owns the schema trueup' FROM pg_namespace AS n WHERE n.nspname = 'trueup'
        UNION ALL
        SELECT acl.grantee, 'may create in the schema trueup'
        FROM pg_namespace AS n CROSS JOIN LATERAL aclexplode(n.nspacl) AS acl
        WHERE n.nspname = 'trueup' AND acl.privilege_type = 'CREATE'
        UNION ALL
        SELECT p.proowner, format('owns %s', p.oid::regprocedure)
        FROM pg_proc AS p WHERE p.pronamespace = to_regnamespace('trueup')
            -- With the rights of its owner.
            AND NOT (p.prosecdef AND p.prorettype = 'trigger'::regtype)
        UNION ALL
        SELECT c.relowner, format('owns %s', c.oid::regclass) FROM pg_class AS c
        WHERE c.relnamespace = to_regnamespace('trueup') AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
    ) AS o (role_id, what)
    LEFT JOIN pg_roles AS r ON r.oid = o.role_id
    JOIN pg_database AS d ON d.datname = current_database()
    WHERE NOT coalesce(r.rolsuper OR r.rolname = current_user OR r.oid = d.datdba, false)
    LIMIT 1;
    IF wrong.what IS NOT NULL THEN
        RAISE EXCEPTION '% %, and could run code of its own with the rights of %', wrong.role, wrong.what, current_user
            USING ERRCODE = 'object_not_in_prerequisite_state', HINT = format(
                'Migrate as %s. If it has no business there: REVOKE CREATE ON SCHEMA trueup FROM %1$s, '
                'or, before anything is migrated: DROP SCHEMA trueup CASCADE.', wrong.role
            );
    END IF;

    SELECT p.pubname, s.slot_name INTO wrong
    FROM pg_publication AS p CROSS JOIN pg_replication_slots AS s
    WHERE p.puballtables AND s.plugin = 'pgoutput' AND s.database = current_database()
    LIMIT 1;
    IF wrong.pubname IS NOT NULL THEN
        RAISE EXCEPTION 'the publication % would send tables of trueup to the subscriber of %',
            wrong.pubname, wrong.slot_name
            USING ERRCODE = 'object_not_in_prerequisite_state',
                DETAIL = 'It is FOR ALL TABLES, and a subscriber stops at a table that it has not.',
                HINT = 'Publish the tables by name: CREATE PUBLICATION ... FOR TABLE ..., then at the '
                    'subscriber ALTER SUBSCRIPTION ... SET PUBLICATION ..., then drop this one.';
    END IF;
END
$$;

CREATE SCHEMA IF NOT EXISTS trueup;
COMMENT ON SCHEMA trueup IS 'What trueup needs while a service changes its contract';
-- Default privileges may have given others more.
DO $$
DECLARE
    role text;
BEGIN
    FOR role IN
        SELECT coalesce(nullif(acl.grantee, 0)::regrole::text, 'PUBLIC')
        FROM pg_namespace AS n
        CROSS JOIN LATERAL aclexplode(n.nspacl) AS acl
        JOIN pg_roles AS me ON me.rolname = current_user
        WHERE n.nspname = 'trueup' AND acl.privilege_type = 'CREATE' AND acl.grantee NOT IN (n.nspowner, me.oid)
    LOOP
        EXECUTE format('REVOKE CREATE ON SCHEMA trueup FROM %s', role);
    END LOOP;
END
$$;
-- For `trueup status`, as any role; rights on what is in it are given one by one.
GRANT USAGE ON SCHEMA trueup TO PUBLIC;
