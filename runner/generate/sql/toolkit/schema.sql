{# The schema itself, and what each file begins and ends with. #}
{% macro begin() %}
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
            -- A trigger's function of ours belongs to its table's owner, and runs with his rights alone.
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
{% endmacro %}

{% macro settings() %}
-- How this role gets another setting for good.
CREATE OR REPLACE FUNCTION trueup.to_set(setting text, value text)
RETURNS text LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT format(
        'ALTER ROLE %I IN DATABASE %I SET %s = %L; then connect again.',
        session_user, current_database(), setting, value
    )
$$;

-- Makes the rest of a transaction independent of what the role, the database and the server set: first of all
-- of the search_path, which a procedure with a SET clause could not set for its caller. What only the begin of a
-- transaction can choose is refused.
CREATE OR REPLACE PROCEDURE trueup.fix_transaction()
LANGUAGE plpgsql AS $$
DECLARE
    chosen record;
BEGIN
    PERFORM pg_catalog.set_config('search_path', 'pg_catalog', true);
    IF current_setting('transaction_isolation') <> 'read committed' THEN
        RAISE EXCEPTION 'this transaction is %, and would not see what clients write meanwhile',
            current_setting('transaction_isolation')
            USING ERRCODE = 'object_not_in_prerequisite_state',
                HINT = trueup.to_set('default_transaction_isolation', 'read committed');
    END IF;
    IF current_setting('transaction_read_only') = 'on' THEN
        RAISE EXCEPTION 'this transaction is read-only'
            USING ERRCODE = 'read_only_sql_transaction', HINT = trueup.to_set('default_transaction_read_only', 'off');
    END IF;

    FOR chosen IN
        SELECT s.name, s.value
        FROM (
            VALUES
            ('statement_timeout', '0'), ('transaction_timeout', '0'),
            ('idle_in_transaction_session_timeout', '0'), ('exit_on_error', 'off'),
            -- Triggers and foreign keys hold (not every role may set it); an error rather than hidden rows.
            ('session_replication_role', 'origin'), ('row_security', 'off'),
            ('default_tablespace', ''), ('restrict_nonsystem_relation_kind', ''),
            -- As values and definitions are written in a file.
            ('standard_conforming_strings', 'on'), ('quote_all_identifiers', 'off'), ('array_nulls', 'on'),
            ('transform_null_equals', 'off'), ('DateStyle', 'ISO, YMD'), ('IntervalStyle', 'postgres'),
            ('bytea_output', 'hex'), ('extra_float_digits', '1'), ('xmloption', 'content')
        ) AS s (name, value)
        WHERE current_setting(s.name, true) <> s.value -- null where the server has no such one
    LOOP
        BEGIN
            PERFORM set_config(chosen.name, chosen.value, true);
        EXCEPTION
            WHEN insufficient_privilege THEN
                RAISE EXCEPTION '% is %, and % may not set it',
                    chosen.name, quote_literal(current_setting(chosen.name)), current_user
                    USING ERRCODE = 'object_not_in_prerequisite_state',
                        HINT = 'As a superuser: ' || trueup.to_set(chosen.name, chosen.value);
        END;
    END LOOP;
END
$$;

-- Stops a file whose statements run outside a transaction, and so can set nothing for themselves, at a setting
-- that would break them. A search_path is given when one of these finds operators or functions by it: then
-- nobody else may create there but those whose tables are being converted (only they have triggers of ours),
-- whom a file that writes to these tables trusts anyway.
CREATE OR REPLACE PROCEDURE trueup.require_settings(path name[] DEFAULT '{}')
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    wrong record;
BEGIN
    SELECT s.name, s.wanted, s.effect, current_setting(s.name) AS value INTO wrong
    FROM (
        VALUES
        ('statement_timeout', '0', 'would end a backfill or an index build halfway'),
        ('transaction_timeout', '0', 'would end an index build halfway'),
        ('lock_timeout', '0', 'would end an index build that waits for older transactions'),
        ('default_tablespace', '', 'would put new indexes there'),
        ('standard_conforming_strings', 'on', 'would give texts in the files another meaning')
    ) AS s (name, wanted, effect)
    WHERE current_setting(s.name, true) <> s.wanted
        -- A run of trueup gives each statement a lock_timeout that fits.
        AND NOT (s.name = 'lock_timeout' AND coalesce(current_setting('trueup.run', true), '') <> '')
    LIMIT 1;
    IF wrong.name IS NOT NULL THEN
        RAISE EXCEPTION '% = % %', wrong.name, quote_literal(wrong.value), wrong.effect
            USING ERRCODE = 'object_not_in_prerequisite_state', HINT = trueup.to_set(wrong.name, wrong.wanted);
    END IF;

    SELECT n.nspname AS schema, coalesce(quote_ident(r.rolname), 'PUBLIC') AS role INTO wrong
    FROM pg_namespace AS n
    CROSS JOIN LATERAL aclexplode(n.nspacl) AS acl
    LEFT JOIN pg_roles AS r ON r.oid = acl.grantee
    JOIN pg_database AS d ON d.datname = current_database()
    WHERE n.nspname = ANY (path)
        AND acl.privilege_type = 'CREATE'
        AND acl.grantee <> n.nspowner
        AND NOT coalesce(r.rolsuper OR r.rolname = current_user OR r.oid = d.datdba, false)
        AND NOT EXISTS (
            SELECT FROM pg_trigger AS t
            JOIN pg_proc AS p ON p.oid = t.tgfoid
            JOIN pg_class AS c ON c.oid = t.tgrelid
            WHERE p.pronamespace = 'trueup'::regnamespace AND c.relowner = acl.grantee
        )
    LIMIT 1;
    IF wrong.schema IS NOT NULL THEN
        RAISE EXCEPTION '% may create in the schema %, which is in the search_path of %',
            wrong.role, wrong.schema, current_user
            USING ERRCODE = 'object_not_in_prerequisite_state',
                DETAIL = 'An index is built outside a transaction, and operators and functions of '
                    'theirs would run with the rights of this role.',
                HINT = format(
                    'REVOKE CREATE ON SCHEMA %I FROM %s; or leave it out of the search_path.', wrong.schema, wrong.role
                );
    END IF;
END
$$;

-- Whether files of another unit, strategy or service still call what is made here: by what is there,
-- and by yoyo's records. Of these records one's own toolkit does not count.
CREATE OR REPLACE FUNCTION trueup.is_called(own_toolkit text)
RETURNS boolean LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    called boolean := EXISTS (
        SELECT FROM pg_proc WHERE pronamespace = 'trueup'::regnamespace AND proname LIKE '%\_sync'
    ) OR EXISTS (
        SELECT FROM pg_class
        WHERE relnamespace = 'trueup'::regnamespace AND (relname LIKE '%\_reversal' OR relkind = 'm')
    );
    ledger regclass;
BEGIN
    FOR ledger IN
        SELECT c.oid
        FROM pg_class AS c
        JOIN pg_roles AS r ON r.oid = c.relowner
        JOIN pg_database AS d ON d.datname = current_database()
        WHERE c.relname = '_yoyo_migration' AND c.relkind = 'r' AND has_table_privilege(c.oid, 'SELECT')
            AND (r.rolsuper OR r.rolname = current_user OR r.oid = d.datdba)
    LOOP
        EXECUTE format(
            'SELECT $1 OR EXISTS (SELECT FROM %s WHERE migration_id ~ $2 AND migration_id !~ $3)', ledger
        )
        INTO called
        USING called, '^[0-9]+_(toolkit|expand|backfill|enforce|switch|contract|window)_', own_toolkit;
    END LOOP;
    RETURN called;
END
$$;

-- Takes what default privileges gave to others on routines and relations of the schema trueup. Who may call a
-- trigger's function may attach it to a table of his own, and it would run there with our rights.
CREATE OR REPLACE PROCEDURE trueup.keep_private(VARIADIC names text[])
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    statement text;
BEGIN
    FOR statement IN
        SELECT DISTINCT format('REVOKE ALL ON %s FROM %s', o.what, coalesce(nullif(a.grantee, 0)::regrole::text, 'PUBLIC'))
        FROM (
            SELECT format('ROUTINE %s', p.oid::regprocedure), p.proowner, coalesce(p.proacl, acldefault('f', p.proowner))
            FROM pg_proc AS p WHERE p.pronamespace = 'trueup'::regnamespace AND p.proname = ANY (names)
            UNION ALL
            SELECT format('TABLE %s', c.oid::regclass), c.relowner, c.relacl
            FROM pg_class AS c WHERE c.relnamespace = 'trueup'::regnamespace AND c.relname = ANY (names)
        ) AS o (what, owner, acl)
        CROSS JOIN LATERAL aclexplode(o.acl) AS a
        WHERE a.grantee <> o.owner
    LOOP
        EXECUTE statement;
    END LOOP;
END
$$;

-- Lets the functions of triggers use the views and tables of the schema trueup that they name.
CREATE OR REPLACE PROCEDURE trueup.share()
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    statement text;
    exposed record;
    ending constant text := '_(sync|sync_switched|sync_back|forget)$';
BEGIN
    -- Policies run with the rights of who reads, and the owner of a table may force some on a view of ours.
    SELECT p.proowner::regrole AS reader, t.relowner::regrole AS owner, t.oid::regclass AS relation, v.relowner::regrole AS role
    INTO exposed
    FROM pg_class AS v
    JOIN pg_roles AS m ON m.oid = v.relowner AND NOT (m.rolsuper OR m.rolbypassrls)
    JOIN pg_rewrite AS r ON r.ev_class = v.oid
    JOIN pg_depend AS d ON d.classid = 'pg_rewrite'::regclass AND d.objid = r.oid AND d.refclassid = 'pg_class'::regclass
    JOIN pg_class AS t ON t.oid = d.refobjid AND t.relkind IN ('r', 'p')
    JOIN pg_proc AS p ON p.pronamespace = v.relnamespace AND p.prosecdef AND strpos(p.prosrc, v.oid::regclass || ' ') > 0
    WHERE v.relnamespace = 'trueup'::regnamespace AND v.relkind = 'v' AND NOT pg_has_role(t.relowner, p.proowner, 'MEMBER')
        -- A function whose own table has got another owner follows it by a call for that table.
        AND NOT EXISTS (
            SELECT FROM pg_trigger AS g
            JOIN pg_proc AS f ON f.oid = g.tgfoid AND f.pronamespace = p.pronamespace
            JOIN pg_class AS c ON c.oid = g.tgrelid AND c.relowner <> p.proowner
            WHERE g.tgparentid = 0 AND regexp_replace(f.proname, ending, '') = regexp_replace(p.proname, ending, '')
        )
    LIMIT 1;
    IF exposed.role IS NOT NULL THEN
        RAISE EXCEPTION '% looks up keys of %, and its owner % could run policies with the rights of %',
            exposed.reader, exposed.relation, exposed.owner, exposed.reader
            USING ERRCODE = 'insufficient_privilege', HINT = format(
                'Migrate as a role that row security does not apply to: ALTER ROLE %s BYPASSRLS; or give both tables one owner.',
                exposed.role
            );
    END IF;

    FOR statement IN
        WITH uses (relation, owner, privilege) AS (
            SELECT DISTINCT c.oid::regclass, p.proowner::regrole, r.privilege
            FROM pg_class AS c
            JOIN pg_proc AS p ON p.pronamespace = c.relnamespace AND p.prosecdef AND p.proowner <> c.relowner
                AND strpos(translate(p.prosrc, ';', ' '), c.oid::regclass || ' ') > 0
            JOIN (VALUES ('SELECT', ''), ('DELETE', 'DELETE FROM ')) AS r (privilege, verb)
                ON strpos(p.prosrc, r.verb || c.oid::regclass) > 0
            WHERE c.relnamespace = 'trueup'::regnamespace AND c.relkind IN ('r', 'v', 'm')
        )
        SELECT format('GRANT %s ON %s TO %s', u.privilege, u.relation, u.owner)
        FROM uses AS u WHERE NOT has_table_privilege(u.owner, u.relation, u.privilege)
        UNION ALL
        SELECT format('ALTER POLICY forgets ON %s TO %s', u.relation, string_agg(DISTINCT u.owner::text, ', '))
        FROM uses AS u JOIN pg_policy AS y ON y.polrelid = u.relation
        GROUP BY u.relation, y.polroles
        HAVING NOT bool_and(u.owner::oid = ANY (y.polroles))
    LOOP
        EXECUTE statement;
    END LOOP;
END
$$;

-- Whether the caller, a trigger's function, runs with the rights of its table's owner. Another owner may have given
-- the columns types of his own, and so casts and CHECKs, which would run with the rights of the former one: then it
-- stops.
CREATE OR REPLACE FUNCTION trueup.is_own(relation oid)
RETURNS boolean LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    source constant regclass := coalesce(pg_partition_root(relation), relation);
BEGIN
    IF EXISTS (SELECT FROM pg_class AS c WHERE c.oid = source AND pg_get_userbyid(c.relowner) = current_user) THEN
        RETURN true;
    END IF;
    IF EXISTS (
        SELECT FROM pg_attribute AS a
        JOIN pg_type AS t ON t.oid = a.atttypid
        JOIN pg_roles AS r ON r.oid = t.typowner AND r.rolname <> current_user AND NOT r.rolsuper
        WHERE a.attrelid = source AND a.attnum > 0 AND NOT a.attisdropped
    ) THEN
        RAISE EXCEPTION '% has got another owner, and could run code of its types with the rights of %',
            source, current_user
            USING ERRCODE = 'insufficient_privilege',
                HINT = format('As the role that migrates: CALL trueup.hand_over(%L);', source);
    END IF;
    RETURN false;
END
$$;

-- Gives what stands in a schema another owner, who must be able to create there, if only for this moment.
CREATE OR REPLACE PROCEDURE trueup.give_to(what text, schema regnamespace, owner regrole)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    lends constant boolean := NOT has_schema_privilege(owner, schema, 'CREATE')
        AND has_schema_privilege(schema, 'CREATE WITH GRANT OPTION');
BEGIN
    IF lends THEN
        EXECUTE format('GRANT CREATE ON SCHEMA %s TO %s', schema, owner);
    END IF;
    EXECUTE format('ALTER %s OWNER TO %s', what, owner);
    IF lends THEN
        EXECUTE format('REVOKE CREATE ON SCHEMA %s FROM %s', schema, owner);
    END IF;
END
$$;

-- Keeps functions of a table's triggers to the table's owner, with whose rights they run, and lets him use what
-- they name: he may give the columns types, and so casts and CHECKs, that run code of his own in them. Without
-- their names, for a table that has got another owner, or row security: all of its functions, and the view of the
-- other contract.
CREATE OR REPLACE PROCEDURE trueup.hand_over(relation regclass, VARIADIC functions text[] DEFAULT '{}')
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    statement text;
    closed record;
    owned record;
    views regclass[];
    ours regclass;
    ending constant text := '_(sync|sync_switched|sync_back|forget)$';
    former oid[];
BEGIN
    IF functions = '{}' THEN
        functions := ARRAY(
            -- Also those of another phase.
            SELECT p.proname::text FROM pg_proc AS p
            WHERE p.pronamespace = 'trueup'::regnamespace AND p.prosecdef
                AND regexp_replace(p.proname, ending, '') IN (
                    SELECT regexp_replace(f.proname, ending, '')
                    FROM pg_trigger AS t JOIN pg_proc AS f ON f.oid = t.tgfoid
                    WHERE t.tgrelid = relation AND f.pronamespace = p.pronamespace
                )
        );
        -- The table of whose grants is kept which; there is none where only a window was used.
        FOR ours IN
            SELECT c.oid FROM pg_class AS c WHERE c.relnamespace = 'trueup'::regnamespace AND c.relname = 'grants'
        LOOP
            EXECUTE format(
                'SELECT array_agg(DISTINCT r.ev_class::regclass) FROM %s AS g '
                'JOIN pg_rewrite AS r ON r.ev_class = g.relation AND r.ev_type = ''1'' '
                'JOIN pg_depend AS d ON d.classid = ''pg_rewrite''::regclass AND d.objid = r.oid '
                'AND d.refclassid = ''pg_class''::regclass AND d.refobjid = $1',
                ours
            )
            INTO views USING relation;
        END LOOP;
    END IF;

    SELECT c.relowner::regrole AS owner, c.relnamespace::regnamespace AS schema INTO closed
    FROM pg_class AS c
    JOIN pg_proc AS p ON p.pronamespace = 'trueup'::regnamespace AND p.proname = ANY (functions)
        AND strpos(p.prosrc, relation || ' ') > 0
    WHERE c.oid = relation AND NOT has_schema_privilege(c.relowner, c.relnamespace, 'USAGE')
    LIMIT 1;
    IF closed.owner IS NOT NULL THEN
        RAISE EXCEPTION '% may not use the schema %, and owns the triggers'' functions of %', closed.owner, closed.schema, relation
            USING ERRCODE = 'insufficient_privilege',
                HINT = format('GRANT USAGE ON SCHEMA %s TO %s;', closed.schema, closed.owner);
    END IF;

    CALL trueup.keep_private(VARIADIC functions);
    SELECT array_agg(p.proowner) INTO former
    FROM pg_proc AS p JOIN pg_class AS c ON c.oid = relation AND c.relowner <> p.proowner
    WHERE p.pronamespace = 'trueup'::regnamespace AND p.proname = ANY (functions);
    FOR owned IN
        SELECT format('FUNCTION %s', p.oid::regprocedure) AS what, p.pronamespace AS schema, c.relowner AS owner
        FROM pg_class AS c
        JOIN pg_proc AS p ON p.pronamespace = 'trueup'::regnamespace AND p.proname = ANY (functions)
            AND p.proowner <> c.relowner
        WHERE c.oid = relation
        UNION ALL
        SELECT format('VIEW %s', v.oid::regclass), v.relnamespace, c.relowner
        FROM pg_class AS c JOIN pg_class AS v ON v.oid = ANY (views) AND v.relowner <> c.relowner
        WHERE c.oid = relation
    LOOP
        -- Its owner may have set another one, by which his code would run with the next owner's rights.
        IF starts_with(owned.what, 'FUNCTION ') THEN
            EXECUTE format('ALTER %s SET search_path = pg_catalog, pg_temp', owned.what);
        END IF;
        CALL trueup.give_to(owned.what, owned.schema, owned.owner);
    END LOOP;
    FOR statement IN
        -- Also where it is taken from PUBLIC later.
        SELECT format('GRANT %s TO %s', g.what, c.relowner::regrole)
        FROM pg_class AS c
        CROSS JOIN (
            SELECT 'USAGE ON SCHEMA trueup'
            UNION ALL
            SELECT format('EXECUTE ON FUNCTION %s', p.oid::regprocedure) FROM pg_proc AS p
            WHERE p.pronamespace = 'trueup'::regnamespace AND p.proname IN ('is_own', 'hold_key')
        ) AS g (what)
        WHERE c.oid = relation AND former IS NOT NULL
        UNION ALL
        SELECT format('ALTER VIEW %s SET (security_invoker = true)', v)
        FROM pg_class AS c CROSS JOIN unnest(views) AS v
        WHERE c.oid = relation AND c.relrowsecurity AND current_setting('server_version_num')::integer >= 150000
        UNION ALL
        -- Who has rights on the view alone needs them on the table then.
        SELECT format('GRANT %s ON %s TO %s', a.privilege_type, relation, coalesce(quote_ident(r.rolname), 'PUBLIC'))
        FROM pg_class AS c
        JOIN pg_class AS v ON v.oid = ANY (views)
        CROSS JOIN LATERAL aclexplode(v.relacl) AS a
        LEFT JOIN pg_roles AS r ON r.oid = a.grantee
        WHERE c.oid = relation AND c.relrowsecurity AND a.grantee NOT IN (v.relowner, c.relowner)
        UNION ALL
        SELECT format(
            'GRANT SELECT ON %s TO %s',
            m.oid::regclass, CASE WHEN c.relrowsecurity THEN 'PUBLIC' ELSE c.relowner::regrole::text END
        )
        FROM pg_class AS c
        JOIN pg_rewrite AS r ON r.ev_class = ANY (views)
        JOIN pg_depend AS d ON d.classid = 'pg_rewrite'::regclass AND d.objid = r.oid
            AND d.refclassid = 'pg_class'::regclass
        JOIN pg_class AS m ON m.oid = d.refobjid AND m.relkind = 'm' AND m.relnamespace = 'trueup'::regnamespace
        WHERE c.oid = relation
        UNION ALL
        -- Who owned them, and owns none any more that names this.
        SELECT DISTINCT format('REVOKE ALL ON %s FROM %s', u.oid::regclass, a.grantee::regrole)
        FROM pg_class AS u
        CROSS JOIN LATERAL aclexplode(u.relacl) AS a
        WHERE u.relnamespace = 'trueup'::regnamespace AND (u.relkind IN ('v', 'm') OR u.relname LIKE '%\_reversal')
            AND a.grantee = ANY (former) AND a.grantee <> u.relowner AND NOT EXISTS (
                SELECT FROM pg_proc AS p
                WHERE p.pronamespace = u.relnamespace AND p.prosecdef AND p.proowner = a.grantee
                    AND strpos(translate(p.prosrc, ';', ' '), u.oid::regclass || ' ') > 0
            )
    LOOP
        EXECUTE statement;
    END LOOP;
    CALL trueup.share();
END
$$;
{% endmacro %}

{% macro end(own_toolkit) %}
DO $$
DECLARE
    left_over text;
BEGIN
    IF trueup.is_called({{ own_toolkit }}) THEN
        RETURN;
    END IF;
    FOR left_over IN
        SELECT format('ROUTINE %s', p.oid::regprocedure) FROM pg_proc AS p
        WHERE p.pronamespace = 'trueup'::regnamespace
        UNION ALL
        SELECT format('TABLE %s', c.oid::regclass) FROM pg_class AS c
        WHERE c.relnamespace = 'trueup'::regnamespace
            AND c.relname IN ('progress', 'grants', 'odometer', 'kept')
    LOOP
        EXECUTE format('DROP %s', left_over);
    END LOOP;
    -- trueup's own records stay.
    IF NOT EXISTS (SELECT FROM pg_class WHERE relnamespace = 'trueup'::regnamespace) THEN
        DROP SCHEMA trueup;
    END IF;
END
$$;
{% endmacro %}
