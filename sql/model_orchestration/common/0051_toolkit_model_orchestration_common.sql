-- Make the schema trueup, with what the files of both strategies call.
--
-- does:    refuses a schema trueup in which somebody else could put functions of his own, and a publication that would
--          send its tables; then makes what makes each file independent of how role and server are set; what stops a
--          file at a table that has changed since it was written; what stops one at rows that cannot be converted, and
--          names them; what lets one file fit every server; what keeps the old spellings that a rollback needs, and
--          trueup.forget_spellings, which lets them go; touches no table of the service
-- locks:   only what it creates
-- cost:    none
-- undo:    drops what the toolkit's files made, unless files of another unit of tables, of the other strategy or of
--          another service still call it
-- depends: 0001_baseline_legacy_schema

SET LOCAL search_path = pg_catalog;

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

-- Whether uuid's own input function takes the text.
CREATE OR REPLACE FUNCTION trueup.is_uuid(value text)
RETURNS boolean LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
    SELECT value COLLATE "C" ~* '^([0-9a-f]{4}-?){7}[0-9a-f]{4}$|^\{([0-9a-f]{4}-?){7}[0-9a-f]{4}\}$'
$$;

-- Stops the file when a table holds rows that meet a condition, and says which.
CREATE OR REPLACE PROCEDURE trueup.refuse_rows(relation text, column_name text, condition text, reason text)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    rows_refused bigint;
    samples text;
BEGIN
    EXECUTE format(
        'SELECT sum(rows), string_agg(format(''%%L (%%s rows)'', value, rows), '', '')
            FILTER (WHERE place <= 5)
        FROM (
            SELECT value, count(*) AS rows, row_number() OVER (ORDER BY count(*) DESC, value) AS place
            FROM (SELECT %I::text AS value FROM %s WHERE %s) AS refused
            GROUP BY value
        ) AS counted',
        column_name, relation, condition
    )
    INTO rows_refused, samples;
    IF rows_refused > 0 THEN
        RAISE EXCEPTION '%.%: the value of % rows %: %',
            relation, column_name, rows_refused, reason, samples
            USING ERRCODE = 'check_violation',
                HINT = format('See them with: SELECT * FROM %s WHERE %s;', relation, condition);
    END IF;
END
$$;

-- Stops the file when a table holds what is no uuid, two texts that are one uuid, or a row that meets the
-- condition of a rule: [column, condition, reason]. It reads the table once for all of them; only when
-- something is wrong is it read again, to say which rows.
CREATE OR REPLACE PROCEDURE trueup.require_clean(
    relation text, rules text[], uuids text[] DEFAULT '{}', keys text[] DEFAULT '{}'
)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    -- Of each check the column, what tells fast that there may be such rows, which they are, and why.
    checks text[] := '{}';
    uuid_column text;
    answers boolean[];
BEGIN
    IF row_security_active(relation) THEN
        RAISE EXCEPTION '%: row security hides rows from %', relation, current_user
            USING ERRCODE = 'insufficient_privilege',
                HINT = format('Migrate as a role that sees all: ALTER ROLE %I BYPASSRLS;', current_user);
    END IF;
    IF EXISTS (
        SELECT FROM pg_subscription_rel AS s
        WHERE s.srrelid = relation::regclass
            OR s.srrelid IN (SELECT p.relid FROM pg_partition_tree(relation::regclass) AS p)
    ) THEN
        RAISE EXCEPTION '%: a subscription fills it, and what arrives fires no trigger', relation
            USING ERRCODE = 'object_not_in_prerequisite_state',
                HINT = 'Convert the publisher alone and copy anew from there, or end the '
                    'subscription first: DROP SUBSCRIPTION.';
    END IF;

    FOREACH uuid_column IN ARRAY uuids LOOP
        IF uuid_column = ANY (keys) THEN
            -- Unique texts can only be one uuid when one of them is not spelled as uuid prints it.
            checks := checks || ARRAY[[
                uuid_column,
                format('%1$I::text::uuid::text <> %1$I::text', uuid_column),
                format(
                    '%1$I::text::uuid IN (SELECT %1$I::text::uuid FROM %2$s GROUP BY 1 HAVING count(*) > 1)',
                    uuid_column, relation
                ),
                'is the same uuid as another row'
            ]];
        ELSE -- it only matters that the cast works
            checks := checks || ARRAY[[uuid_column, format('%I::text::uuid IS NULL', uuid_column), 'false', '']];
        END IF;
    END LOOP;
    FOR n IN 1 .. coalesce(array_length(rules, 1), 0) LOOP
        checks := checks || ARRAY[[rules[n][1], rules[n][2], rules[n][2], rules[n][3]]];
    END LOOP;

    BEGIN
        EXECUTE format(
            'SELECT ARRAY[%s] FROM %s',
            (SELECT string_agg(format('bool_or(%s)', checks[n][2]), ', ' ORDER BY n) FROM generate_subscripts(checks, 1) AS n),
            relation
        )
        INTO answers;
    EXCEPTION
        WHEN data_exception THEN
            -- A cast is ten times as fast as a pattern; the pattern finds the rows when it fails.
            FOREACH uuid_column IN ARRAY uuids LOOP
                CALL trueup.refuse_rows(
                    relation, uuid_column, format('NOT trueup.is_uuid(%I)', uuid_column), 'is not a uuid'
                );
            END LOOP;
            -- A rule may keep what a later one stumbles over from it.
            FOR n IN 1 .. coalesce(array_length(rules, 1), 0) LOOP
                CALL trueup.refuse_rows(relation, rules[n][1], rules[n][2], rules[n][3]);
            END LOOP;
            RAISE;
    END;
    FOR n IN 1 .. cardinality(answers) LOOP
        IF answers[n] THEN
            CALL trueup.refuse_rows(relation, checks[n][1], checks[n][3], checks[n][4]);
        END IF;
    END LOOP;
END
$$;

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

-- Since when each reversal table keeps old spellings, and when they were forgotten.
CREATE TABLE IF NOT EXISTS trueup.kept (
    name text PRIMARY KEY,
    since timestamptz NOT NULL DEFAULT now(),
    forgotten_at timestamptz
);

-- Empties a reversal table and takes its triggers off: a rollback then spells each old value as the new one
-- says. Refuses until the spellings have been kept for trueup.keep_for, 30 days.
CREATE OR REPLACE PROCEDURE trueup.forget_spellings(reversal regclass)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    keep_for constant interval :=
        coalesce(nullif(current_setting('trueup.keep_for', true), ''), '30 days')::interval;
    since constant timestamptz :=
        (SELECT k.since FROM trueup.kept AS k WHERE k.name = reversal::text AND k.forgotten_at IS NULL);
    statement text;
BEGIN
    IF since IS NULL THEN
        RAISE EXCEPTION '% keeps no old spellings', reversal
            USING ERRCODE = 'object_not_in_prerequisite_state', HINT = 'See trueup status.';
    END IF;
    IF since + keep_for > clock_timestamp() THEN
        RAISE EXCEPTION '% is kept until %: a rollback needs it', reversal, since + keep_for
            USING ERRCODE = 'object_not_in_prerequisite_state',
                HINT = 'It is kept for trueup.keep_for, 30 days unless set. Never to be rolled back byte '
                    'for byte: SET trueup.keep_for = ''0 days''; and call this again.';
    END IF;
    PERFORM set_config('lock_timeout', '200ms', true);
    FOR statement IN
        SELECT format('DROP TRIGGER %I ON %s', t.tgname, t.tgrelid::regclass)
        FROM pg_trigger AS t
        JOIN pg_proc AS p ON p.oid = t.tgfoid
        WHERE p.pronamespace = 'trueup'::regnamespace AND starts_with(t.tgname::text, 'zz_trueup_forget')
            AND t.tgparentid = 0 AND strpos(p.prosrc, format('DELETE FROM %s AS r', reversal)) > 0
    LOOP
        EXECUTE statement;
    END LOOP;
    EXECUTE format('TRUNCATE %s', reversal);
    UPDATE trueup.kept AS k SET forgotten_at = now() WHERE k.name = reversal::text;
END
$$;

-- Keeps the old values of a reversal table to its owner, and to that of the table whose triggers forget them, also
-- where rights are given later, and tells since when they are kept.
CREATE OR REPLACE PROCEDURE trueup.keep_spellings(reversal regclass, source regclass)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    own_name constant text := (SELECT c.relname FROM pg_class AS c WHERE c.oid = reversal);
    owner constant text := (SELECT c.relowner::regrole FROM pg_class AS c WHERE c.oid = source);
BEGIN
    CALL trueup.keep_private(own_name);
    IF (SELECT c.relrowsecurity FROM pg_class AS c WHERE c.oid = source) THEN
        EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', reversal);
        EXECUTE format('CREATE POLICY forgets ON %s TO %s USING (true)', reversal, owner);
    END IF;
    CALL trueup.share();
    INSERT INTO trueup.kept AS k (name) VALUES (reversal::text)
    ON CONFLICT (name) DO UPDATE SET since = excluded.since, forgotten_at = NULL;
    RAISE NOTICE '% keeps the old spellings that a rollback needs', reversal
        USING HINT = format('When it is needed no more: CALL trueup.forget_spellings(%L);', reversal);
END
$$;

-- Warns where a rollback does not find the old spellings.
CREATE OR REPLACE PROCEDURE trueup.tell_forgotten(reversal regclass)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM trueup.kept AS k WHERE k.name = reversal::text AND k.forgotten_at IS NULL) THEN
        RAISE WARNING '%: old values come back as the new ones say, not byte for byte', reversal
            USING DETAIL = 'Its spellings were forgotten by trueup.forget_spellings.';
    END IF;
END
$$;

-- Clients call none of these.
CALL trueup.keep_private(
    'to_set', 'fix_transaction', 'require_settings', 'is_called', 'keep_private', 'share', 'is_own', 'give_to',
    'hand_over', 'standing', 'require_same', 'is_uuid', 'refuse_rows', 'require_clean', 'rename_not_nulls', 'kept',
    'forget_spellings', 'keep_spellings', 'tell_forgotten'
);
-- Any role may call these: they run with the rights of their caller.
GRANT EXECUTE ON ROUTINE trueup.is_own TO PUBLIC;

CALL trueup.require_settings();
CALL trueup.fix_transaction();
