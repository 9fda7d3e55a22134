-- Make the schema trueup, and each file independent of how role and server are set.
--
-- does:    refuses a schema trueup in which somebody else could put functions of his own, and a
--          publication that would send its tables; then makes the procedures that each file begins
--          with, and refuses settings under which the files would not mean the same; touches no
--          table of the service
-- locks:   only what it creates
-- cost:    none
-- undo:    drops what it made, unless files of another unit of tables, of the other strategy or of
--          another service still call it
-- depends: 0001_baseline_legacy_schema

SET LOCAL search_path = pg_catalog;

-- Whoever owns the schema or something in it, or may create there, could give the functions below
-- another meaning, and they run with the rights of others.
DO $$
DECLARE
    found record;
BEGIN
    SELECT coalesce(quote_ident(r.rolname), 'PUBLIC') AS role, o.what INTO found
    FROM (
        SELECT n.nspowner AS owner, 'owns the schema trueup' AS what
        FROM pg_namespace AS n
        WHERE n.nspname = 'trueup'
        UNION ALL
        SELECT acl.grantee, 'may create in the schema trueup'
        FROM pg_namespace AS n
        CROSS JOIN LATERAL aclexplode(n.nspacl) AS acl
        WHERE n.nspname = 'trueup' AND acl.privilege_type = 'CREATE'
        UNION ALL
        SELECT p.proowner, format('owns %s', p.oid::regprocedure)
        FROM pg_proc AS p
        WHERE p.pronamespace = to_regnamespace('trueup')
        UNION ALL
        SELECT c.relowner, format('owns %s', c.oid::regclass)
        FROM pg_class AS c
        WHERE c.relnamespace = to_regnamespace('trueup') AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
    ) AS o (role_id, what)
    LEFT JOIN pg_roles AS r ON r.oid = o.role_id
    JOIN pg_database AS d ON d.datname = current_database()
    WHERE NOT coalesce(r.rolsuper OR r.rolname = current_user OR r.oid = d.datdba, false)
    LIMIT 1;

    IF found.what IS NOT NULL THEN
        RAISE EXCEPTION '% %, and could run code of its own with the rights of %',
            found.role, found.what, current_user
            USING
                ERRCODE = 'object_not_in_prerequisite_state',
                HINT = format(
                    'Migrate as %s. If it has no business there: REVOKE CREATE ON SCHEMA trueup '
                    'FROM %1$s, or, before anything is migrated: DROP SCHEMA trueup CASCADE.',
                    found.role
                );
    END IF;
END
$$;

-- A subscriber stops at the first table that it has not.
DO $$
DECLARE
    found record;
BEGIN
    SELECT p.pubname, s.slot_name INTO found
    FROM pg_publication AS p
    CROSS JOIN pg_replication_slots AS s
    WHERE p.puballtables AND s.plugin = 'pgoutput' AND s.database = current_database()
    LIMIT 1;

    IF found.pubname IS NOT NULL THEN
        RAISE EXCEPTION 'the publication % would send tables of trueup to the subscriber of %',
            found.pubname, found.slot_name
            USING
                ERRCODE = 'object_not_in_prerequisite_state',
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
    granted record;
BEGIN
    FOR granted IN
        SELECT coalesce(nullif(acl.grantee, 0)::regrole::text, 'PUBLIC') AS role
        FROM pg_namespace AS n
        CROSS JOIN LATERAL aclexplode(n.nspacl) AS acl
        JOIN pg_roles AS me ON me.rolname = current_user
        WHERE n.nspname = 'trueup' AND acl.privilege_type = 'CREATE'
            AND acl.grantee NOT IN (n.nspowner, me.oid)
    LOOP
        EXECUTE format('REVOKE CREATE ON SCHEMA trueup FROM %s', granted.role);
    END LOOP;
END
$$;
-- For `trueup status`, as any role; rights on what is in it are given one by one.
GRANT USAGE ON SCHEMA trueup TO PUBLIC;

-- How this role gets another setting for good.
CREATE OR REPLACE FUNCTION trueup.to_set(setting text, value text)
RETURNS text
LANGUAGE sql
STABLE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT format(
        'ALTER ROLE %I IN DATABASE %I SET %s = %L; then connect again.',
        session_user, current_database(), setting, value
    )
$$;

-- Makes the rest of a transaction independent of what the role, the database and the server set.
-- What only the begin of a transaction can choose is refused.
CREATE OR REPLACE PROCEDURE trueup.fix_settings()
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    chosen record;
BEGIN
    IF current_setting('transaction_isolation') <> 'read committed' THEN
        RAISE EXCEPTION 'this transaction is %, and would not see what clients write meanwhile',
            current_setting('transaction_isolation')
            USING
                ERRCODE = 'object_not_in_prerequisite_state',
                HINT = trueup.to_set('default_transaction_isolation', 'read committed');
    END IF;
    IF current_setting('transaction_read_only') = 'on' THEN
        RAISE EXCEPTION 'this transaction is read-only'
            USING
                ERRCODE = 'read_only_sql_transaction',
                HINT = trueup.to_set('default_transaction_read_only', 'off');
    END IF;

    FOR chosen IN
        SELECT s.name, s.value
        FROM (
            VALUES
                ('statement_timeout', '0'),
                ('transaction_timeout', '0'),
                ('idle_in_transaction_session_timeout', '0'),
                ('exit_on_error', 'off'),
                -- Triggers and foreign keys hold; not every role may set it.
                ('session_replication_role', 'origin'),
                -- An error rather than hidden rows.
                ('row_security', 'off'),
                ('default_tablespace', ''),
                ('restrict_nonsystem_relation_kind', ''),
                -- As values and definitions are written in a file.
                ('standard_conforming_strings', 'on'),
                ('quote_all_identifiers', 'off'),
                ('array_nulls', 'on'),
                ('transform_null_equals', 'off'),
                ('DateStyle', 'ISO, YMD'),
                ('IntervalStyle', 'postgres'),
                ('bytea_output', 'hex'),
                ('extra_float_digits', '1'),
                ('xmloption', 'content')
        ) AS s (name, value)
        WHERE current_setting(s.name, true) <> s.value  -- null where the server has no such one
    LOOP
        BEGIN
            PERFORM set_config(chosen.name, chosen.value, true);
        EXCEPTION
            WHEN insufficient_privilege THEN
                RAISE EXCEPTION '% is %, and % may not set it',
                    chosen.name, quote_literal(current_setting(chosen.name)), current_user
                    USING
                        ERRCODE = 'object_not_in_prerequisite_state',
                        HINT = 'As a superuser: ' || trueup.to_set(chosen.name, chosen.value);
        END;
    END LOOP;
END
$$;

-- Stops a file when a setting would break statements that run outside a transaction, and so can set
-- nothing for themselves. A search_path is given when one of these finds operators or functions by it:
-- then nobody else may create there but those whose tables are being converted, whom a file that writes
-- to these tables trusts anyway. Nobody else can have a trigger of ours.
CREATE OR REPLACE PROCEDURE trueup.require_settings(path name[] DEFAULT '{}')
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    found record;
BEGIN
    SELECT s.name, s.wanted, s.effect, current_setting(s.name) AS value INTO found
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

    IF found.name IS NOT NULL THEN
        RAISE EXCEPTION '% = % %', found.name, quote_literal(found.value), found.effect
            USING
                ERRCODE = 'object_not_in_prerequisite_state',
                HINT = trueup.to_set(found.name, found.wanted);
    END IF;

    SELECT n.nspname AS schema, coalesce(quote_ident(r.rolname), 'PUBLIC') AS role INTO found
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

    IF found.schema IS NOT NULL THEN
        RAISE EXCEPTION '% may create in the schema %, which is in the search_path of %',
            found.role, found.schema, current_user
            USING
                ERRCODE = 'object_not_in_prerequisite_state',
                DETAIL = 'An index is built outside a transaction, and operators and functions of '
                    'theirs would run with the rights of this role.',
                HINT = format(
                    'REVOKE CREATE ON SCHEMA %I FROM %s; or leave it out of the search_path.',
                    found.schema, found.role
                );
    END IF;
END
$$;

-- Whether files of another unit, strategy or service still call what is made here: by what is there,
-- and by yoyo's records. Of these records one's own toolkit does not count.
CREATE OR REPLACE FUNCTION trueup.is_called(own_toolkit text)
RETURNS boolean
LANGUAGE plpgsql
STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    called boolean := EXISTS (
        SELECT FROM pg_proc
        WHERE pronamespace = 'trueup'::regnamespace AND proname LIKE '%\_sync'
    ) OR EXISTS (
        SELECT FROM pg_class
        WHERE relnamespace = 'trueup'::regnamespace
            AND (relname LIKE '%\_reversal' OR relkind = 'm')
    );
    ledger regclass;
BEGIN
    FOR ledger IN
        SELECT c.oid
        FROM pg_class AS c
        JOIN pg_roles AS r ON r.oid = c.relowner
        JOIN pg_database AS d ON d.datname = current_database()
        WHERE c.relname = '_yoyo_migration'
            AND c.relkind = 'r'
            AND has_table_privilege(c.oid, 'SELECT')
            AND (r.rolsuper OR r.rolname = current_user OR r.oid = d.datdba)
    LOOP
        EXECUTE format(
            'SELECT $1 OR EXISTS (SELECT FROM %s WHERE migration_id ~ $2 AND migration_id !~ $3)',
            ledger
        )
        INTO called
        USING
            called, '^[0-9]+_(toolkit|expand|backfill|enforce|switch|contract|window)_', own_toolkit;
    END LOOP;
    RETURN called;
END
$$;

-- Takes away what default privileges gave on a relation that was made just now.
CREATE OR REPLACE PROCEDURE trueup.revoke_all(relation regclass)
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    granted record;
BEGIN
    FOR granted IN
        SELECT DISTINCT coalesce(nullif(acl.grantee, 0)::regrole::text, 'PUBLIC') AS grantee
        FROM pg_class AS c
        CROSS JOIN LATERAL aclexplode(c.relacl) AS acl
        WHERE c.oid = relation AND acl.grantee <> c.relowner
    LOOP
        EXECUTE format('REVOKE ALL ON %s FROM %s', relation, granted.grantee);
    END LOOP;
END
$$;

-- Takes the right to call routines of the schema trueup, whatever default privileges say, from all but
-- their owners. Who may call a trigger's function may attach it to a table of his own, and it would run
-- there with our rights.
CREATE OR REPLACE PROCEDURE trueup.keep_private(VARIADIC names text[])
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    statement text;
BEGIN
    FOR statement IN
        SELECT DISTINCT format(
            'REVOKE ALL ON ROUTINE %s FROM %s',
            p.oid::regprocedure, coalesce(nullif(acl.grantee, 0)::regrole::text, 'PUBLIC')
        )
        FROM pg_proc AS p
        CROSS JOIN LATERAL aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) AS acl
        WHERE p.pronamespace = 'trueup'::regnamespace
            AND p.proname = ANY (names)
            AND acl.grantee <> p.proowner
    LOOP
        EXECUTE statement;
    END LOOP;
END
$$;

-- Clients call none of these.
CALL trueup.keep_private(
    'to_set', 'fix_settings', 'require_settings', 'is_called', 'revoke_all', 'keep_private'
);

CALL trueup.require_settings();
