-- Make the schema trueup and the functions that the other files call.
--
-- does:    creates what the migration needs beside the service; touches no table of it
-- locks:   only what it creates
-- cost:    none
-- undo:    drops it all, unless another unit of tables still needs it
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

-- How far each backfill is; for people and for `trueup status`.
CREATE TABLE IF NOT EXISTS trueup.progress (
    file text PRIMARY KEY,
    table_name text NOT NULL,
    rows_done bigint NOT NULL,
    page bigint NOT NULL,
    pages bigint NOT NULL,
    started_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);

-- The grants of two relations, or of two sides of a column, when they were made the same: what
-- differs later was changed on that one, and is carried over to the other.
CREATE TABLE IF NOT EXISTS trueup.grants (
    relation oid,
    column_name name,
    acl aclitem[],
    PRIMARY KEY (relation, column_name)
);

-- Since when each reversal table keeps old spellings.
CREATE TABLE IF NOT EXISTS trueup.kept (
    name text PRIMARY KEY,
    since timestamptz NOT NULL DEFAULT now(),
    forgotten_at timestamptz
);

-- What stands on a table and a file could drop or give another meaning: a line each, without what
-- is trueup's own.
CREATE OR REPLACE FUNCTION trueup.standing(relation regclass)
RETURNS SETOF text
LANGUAGE sql
STABLE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT
        concat(
            'column ', a.attname,
            CASE WHEN a.attnotnull THEN ' NOT NULL' END,
            CASE WHEN a.atthasdef OR a.attidentity <> '' THEN ' DEFAULT' END
        )
    FROM pg_attribute AS a
    WHERE a.attrelid = relation AND a.attnum > 0 AND NOT a.attisdropped
    UNION ALL
    SELECT
        concat_ws(' ', kinds.kind, k.conname, '(' || (
            SELECT coalesce(string_agg(a.attname::text, ', ' ORDER BY a.attname), '')
            FROM pg_attribute AS a
            WHERE a.attrelid = k.conrelid AND a.attnum = ANY (k.conkey)
        ) || ')')
    FROM pg_constraint AS k
    JOIN (
        VALUES ('p', 'primary key'), ('u', 'unique'), ('x', 'exclude'), ('c', 'check'),
            ('f', 'foreign key')
    ) AS kinds (contype, kind) ON kinds.contype = k.contype::text
    WHERE k.conrelid = relation AND k.conparentid = 0
    UNION ALL
    SELECT
        concat(
            CASE WHEN NOT i.indisvalid THEN 'invalid ' END,
            CASE WHEN i.indisunique THEN 'unique ' END,
            'index ', c.relname, ' (', (
                SELECT string_agg(a.attname::text, ', ' ORDER BY a.attname)
                FROM pg_attribute AS a
                WHERE a.attrelid = relation AND a.attnum > 0
                    AND (
                        a.attnum = ANY (i.indkey::int2[])
                        OR EXISTS (
                            SELECT FROM pg_depend AS d
                            WHERE d.classid = 'pg_class'::regclass AND d.objid = i.indexrelid
                                AND d.refclassid = 'pg_class'::regclass AND d.refobjid = relation
                                AND d.refobjsubid = a.attnum
                        )
                    )
            ), ')'
        )
    FROM pg_index AS i
    JOIN pg_class AS c ON c.oid = i.indexrelid
    WHERE i.indrelid = relation
        AND NOT EXISTS (
            SELECT FROM pg_constraint AS k
            WHERE k.conindid = i.indexrelid AND k.contype IN ('p', 'u', 'x')
        )
    UNION ALL
    SELECT 'statistics ' || s.stxname FROM pg_statistic_ext AS s WHERE s.stxrelid = relation
    UNION ALL
    SELECT 'trigger ' || t.tgname FROM pg_trigger AS t
    WHERE t.tgrelid = relation AND NOT t.tgisinternal
        AND NOT starts_with(t.tgname::text, 'zz_trueup_')
    UNION ALL
    SELECT 'rule ' || r.rulename FROM pg_rewrite AS r WHERE r.ev_class = relation
    UNION ALL
    SELECT 'policy ' || p.polname FROM pg_policy AS p WHERE p.polrelid = relation
    UNION ALL
    SELECT s.line FROM pg_class AS c
    CROSS JOIN LATERAL (
        VALUES (c.relrowsecurity, 'row level security'),
            (c.relforcerowsecurity, 'force row level security')
    ) AS s (is_set, line)
    WHERE c.oid = relation AND s.is_set
    UNION ALL
    SELECT 'publication ' || p.pubname FROM pg_publication AS p
    JOIN pg_publication_rel AS r ON r.prpubid = p.oid
    WHERE r.prrelid = relation
    UNION ALL
    SELECT DISTINCT concat('view ', n.nspname, '.', v.relname)
    FROM pg_depend AS d
    JOIN pg_rewrite AS r ON r.oid = d.objid
    JOIN pg_class AS v ON v.oid = r.ev_class
    JOIN pg_namespace AS n ON n.oid = v.relnamespace
    WHERE d.classid = 'pg_rewrite'::regclass AND d.refclassid = 'pg_class'::regclass
        AND d.refobjid = relation AND v.oid <> relation AND v.relkind IN ('v', 'm')
        AND n.nspname <> 'trueup' AND NOT pg_is_other_temp_schema(n.oid)
        AND n.oid <> pg_my_temp_schema()
$$;

-- Stops the file when a table is not as it was when the file was written.
CREATE OR REPLACE PROCEDURE trueup.require_same(
    relation regclass, expected text[], may_be text[] DEFAULT '{}'
)
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    standing constant text[] := ARRAY(SELECT s FROM trueup.standing(relation) AS s ORDER BY s);
    difference constant text := concat_ws(
        E'\n',
        (
            SELECT string_agg('unknown here: ' || s, E'\n' ORDER BY s) FROM unnest(standing) AS s
            WHERE s <> ALL (expected || may_be)
        ),
        (
            SELECT string_agg('missing: ' || e, E'\n' ORDER BY e) FROM unnest(expected) AS e
            WHERE e <> ALL (standing)
        )
    );
BEGIN
    IF difference <> '' THEN
        RAISE EXCEPTION '% is not as this file was written for', relation
            USING
                ERRCODE = 'object_not_in_prerequisite_state',
                DETAIL = difference,
                HINT = 'Bring the table to what the file lists, and make again afterwards what it does '
                    'not know; before expand, generate the files anew.';
    END IF;
END
$$;

-- Whether uuid's own input function takes the text.
CREATE OR REPLACE FUNCTION trueup.is_uuid(value text)
RETURNS boolean
LANGUAGE sql
IMMUTABLE
PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT value COLLATE "C" ~* '^([0-9a-f]{4}-?){7}[0-9a-f]{4}$|^\{([0-9a-f]{4}-?){7}[0-9a-f]{4}\}$'
$$;

-- Stops the file when a table holds rows that meet a condition, and says which.
CREATE OR REPLACE PROCEDURE trueup.refuse_rows(
    relation text,
    column_name text,
    condition text,
    reason text
)
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
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
            USING
                ERRCODE = 'check_violation',
                HINT = format('See them with: SELECT * FROM %s WHERE %s;', relation, condition);
    END IF;
END
$$;

-- Stops the file when a table holds what is no uuid, two texts that are one uuid, or a row that meets
-- the condition of a rule: [column, condition, reason]. It reads the table once for all of
-- them; only when something is wrong is it read again, to say which rows.
CREATE OR REPLACE PROCEDURE trueup.require_clean(
    relation text,
    rules text[],
    uuids text[] DEFAULT '{}',
    keys text[] DEFAULT '{}'
)
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    conditions text[] := '{}';
    found boolean[];
    uuid_column text;
BEGIN
    IF row_security_active(relation) THEN
        RAISE EXCEPTION '%: row security hides rows from %', relation, current_user
            USING
                ERRCODE = 'insufficient_privilege',
                HINT = format('Migrate as a role that sees all: ALTER ROLE %I BYPASSRLS;', current_user);
    END IF;
    IF EXISTS (
        SELECT FROM pg_subscription_rel AS s
        WHERE s.srrelid = relation::regclass
            OR s.srrelid IN (SELECT p.relid FROM pg_partition_tree(relation::regclass) AS p)
    ) THEN
        RAISE EXCEPTION '%: a subscription fills it, and what arrives fires no trigger', relation
            USING
                ERRCODE = 'object_not_in_prerequisite_state',
                HINT = 'Convert the publisher alone and copy anew from there, or end the '
                    'subscription first: DROP SUBSCRIPTION.';
    END IF;

    FOREACH uuid_column IN ARRAY uuids LOOP
        -- Of a key it matters whether it is spelled as uuid prints it, of others that the cast works.
        conditions := conditions || format(
            CASE WHEN uuid_column = ANY (keys)
                THEN '%1$I::text::uuid::text <> %1$I::text' ELSE '%1$I::text::uuid IS NULL'
            END,
            uuid_column
        );
    END LOOP;
    FOR number IN 1 .. coalesce(array_length(rules, 1), 0) LOOP
        conditions := conditions || rules[number][2];
    END LOOP;

    BEGIN
        EXECUTE format(
            'SELECT ARRAY[bool_or(%s)] FROM %s', array_to_string(conditions, '), bool_or('), relation
        )
        INTO found;
    EXCEPTION
        WHEN data_exception THEN
            -- A cast is ten times as fast as a pattern; the pattern finds the rows when it fails.
            FOREACH uuid_column IN ARRAY uuids LOOP
                CALL trueup.refuse_rows(
                    relation, uuid_column, format('NOT trueup.is_uuid(%I)', uuid_column),
                    'is not a uuid'
                );
            END LOOP;
            -- A rule may keep what a later one stumbles over from it.
            FOR number IN 1 .. coalesce(array_length(rules, 1), 0) LOOP
                CALL trueup.refuse_rows(
                    relation, rules[number][1], rules[number][2], rules[number][3]
                );
            END LOOP;
            RAISE;
    END;

    FOR place IN 1 .. cardinality(uuids) LOOP
        uuid_column := uuids[place];
        -- Unique texts can only be one uuid when one of them is not spelled as uuid prints it.
        IF found[place] AND uuid_column = ANY (keys) THEN
            CALL trueup.refuse_rows(
                relation,
                uuid_column,
                format(
                    '%1$I::text::uuid IN (SELECT %1$I::text::uuid FROM %2$s GROUP BY 1 HAVING count(*) > 1)',
                    uuid_column, relation
                ),
                'is the same uuid as another row'
            );
        END IF;
    END LOOP;
    FOR number IN 1 .. coalesce(array_length(rules, 1), 0) LOOP
        IF found[cardinality(uuids) + number] THEN
            CALL trueup.refuse_rows(relation, rules[number][1], rules[number][2], rules[number][3]);
        END IF;
    END LOOP;
END
$$;

-- Stops the file when a native enum has other labels here than where the file was written, or has them
-- in another order: values are converted by their labels.
CREATE OR REPLACE PROCEDURE trueup.require_labels(relation text, column_name name, labels text[])
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    found constant text[] := ARRAY(
        SELECT e.enumlabel::text
        FROM pg_attribute AS a
        JOIN pg_type AS t ON t.oid = a.atttypid
        LEFT JOIN pg_type AS b ON b.oid = t.typbasetype
        JOIN pg_enum AS e ON e.enumtypid IN (t.oid, t.typelem, b.oid, b.typelem)
        WHERE a.attrelid = relation::regclass AND a.attname = column_name
        ORDER BY e.enumsortorder
    );
BEGIN
    IF found <> labels THEN
        RAISE EXCEPTION '%.%: has the labels %, and this file is for %',
            relation, column_name, found, labels
            USING
                ERRCODE = 'object_not_in_prerequisite_state',
                HINT = 'Rename the labels (ALTER TYPE ... RENAME VALUE), or generate files for this database.';
    END IF;
END
$$;

-- The service's own triggers that an UPDATE of columns they do not know would fire.
CREATE OR REPLACE FUNCTION trueup.waking_triggers(relation regclass)
RETURNS TABLE (name name, enabled "char")
LANGUAGE sql
STABLE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT t.tgname, t.tgenabled
    FROM pg_trigger AS t
    WHERE t.tgrelid = relation
        AND NOT t.tgisinternal
        AND t.tgenabled <> 'D'
        AND t.tgtype & 16 <> 0
        AND t.tgattr::text = ''
        AND t.tgname NOT LIKE 'zz\_trueup\_sync\_%'
$$;

-- Stops the file when the backfill would fire triggers of the service, which may change rows.
CREATE OR REPLACE PROCEDURE trueup.require_silence(relation text)
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    names text;
BEGIN
    SELECT string_agg(format('%I runs %s', t.tgname, p.oid::regprocedure), ', ') INTO names
    FROM pg_trigger AS t
    JOIN pg_proc AS p ON p.oid = t.tgfoid
    WHERE t.tgrelid = relation::regclass
        AND NOT t.tgisinternal
        AND t.tgenabled <> 'D'
        AND p.prosrc ~* '\minsert\M[^;]*(\m(new|old)\M|\$\d+)\s*\)?\s*\.\s*\*';
    IF names IS NOT NULL THEN
        RAISE EXCEPTION '%: a trigger inserts all columns of a row, and there will be more: %',
            relation, names
            USING
                ERRCODE = 'object_not_in_prerequisite_state',
                HINT = 'Let its function name the columns, or drop the trigger before.';
    END IF;

    SELECT string_agg(quote_ident(t.name), ', ' ORDER BY t.name) INTO names
    FROM trueup.waking_triggers(relation::regclass) AS t;

    IF names IS NULL THEN
        RETURN;
    END IF;
    IF EXISTS (SELECT FROM trueup.waking_triggers(relation::regclass) AS t WHERE t.enabled <> 'O') THEN
        RAISE EXCEPTION '%: the backfill would fire %', relation, names
            USING
                ERRCODE = 'object_not_in_prerequisite_state',
                HINT = 'Triggers that are enabled as ALWAYS or REPLICA cannot be silenced: disable '
                    'them until the backfill is done.';
    END IF;
    -- As the backfill will do it.
    PERFORM set_config('session_replication_role', 'replica', true);
    PERFORM set_config('session_replication_role', 'origin', true);
EXCEPTION
    WHEN insufficient_privilege THEN
        RAISE EXCEPTION '%: the backfill would fire %, which % may not silence',
            relation, names, current_user
            USING
                ERRCODE = 'insufficient_privilege',
                HINT = format(
                    'Run as a superuser, or, from PostgreSQL 15 on: '
                    'GRANT SET ON PARAMETER session_replication_role TO %I;',
                    current_user
                );
END
$$;

-- Gives a relation the owner and the grants of another one, and each column those of its namesake;
-- or, as a pair says, of another column. With one relation on both sides only the pairs count, in its
-- partitions too.
CREATE OR REPLACE PROCEDURE trueup.copy_grants(
    target regclass, source regclass, columns text[] DEFAULT '{}'
)
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    statement text;
BEGIN
    IF target <> source THEN
        SELECT format(
            'ALTER %s %s OWNER TO %s',
            CASE t.relkind WHEN 'v' THEN 'VIEW' ELSE 'TABLE' END, target, s.relowner::regrole
        )
        INTO statement
        FROM pg_class AS t, pg_class AS s
        WHERE t.oid = target AND s.oid = source AND t.relowner <> s.relowner;
        IF FOUND THEN
            EXECUTE statement;
        END IF;
    END IF;

    FOR statement IN
        WITH places (place, origin) AS (
            SELECT target, source
            UNION
            SELECT p.relid, p.relid FROM pg_partition_tree(target) AS p WHERE target = source
        ),
        given (step, place, on_column, acl, owner) AS (
            -- What the target has by default privileges, or of old, goes first.
            SELECT 1, c.oid, '', c.relacl, c.relowner
            FROM pg_class AS c
            WHERE c.oid = target AND target <> source
            UNION ALL
            SELECT 1, c.oid, format(' (%I)', a.attname), a.attacl, c.relowner
            FROM places AS p
            JOIN pg_class AS c ON c.oid = p.place
            JOIN pg_attribute AS a ON a.attrelid = c.oid AND NOT a.attisdropped
            WHERE target <> source OR EXISTS (
                SELECT FROM generate_subscripts(columns, 1) AS n (pair)
                WHERE columns[n.pair][1] = a.attname
            )
            UNION ALL
            SELECT 2, target, '', c.relacl, c.relowner
            FROM pg_class AS c
            WHERE c.oid = source AND target <> source
            UNION ALL
            SELECT 2, p.place, format(' (%I)', t.attname), s.attacl, c.relowner
            FROM places AS p
            JOIN pg_class AS c ON c.oid = p.origin
            JOIN pg_attribute AS t ON t.attrelid = p.place AND t.attnum > 0 AND NOT t.attisdropped
            LEFT JOIN generate_subscripts(columns, 1) AS n (pair) ON columns[n.pair][1] = t.attname
            JOIN pg_attribute AS s
                ON s.attrelid = p.origin AND NOT s.attisdropped
                AND s.attname = coalesce(columns[n.pair][2], t.attname)
            WHERE target <> source OR n.pair IS NOT NULL
        )
        SELECT
            CASE g.step
                WHEN 1 THEN format(
                    'REVOKE ALL%s ON %s FROM %s', g.on_column, g.place::regclass, r.grantee
                )
                ELSE format(
                    'GRANT %s%s ON %s TO %s%s',
                    a.privilege_type, g.on_column, g.place::regclass, r.grantee,
                    CASE WHEN a.is_grantable THEN ' WITH GRANT OPTION' END
                )
            END
        FROM given AS g
        CROSS JOIN LATERAL aclexplode(g.acl) AS a
        CROSS JOIN LATERAL (
            SELECT coalesce(nullif(a.grantee, 0)::regrole::text, 'PUBLIC')
        ) AS r (grantee)
        WHERE a.grantee <> g.owner
        ORDER BY g.step
    LOOP
        EXECUTE statement;
    END LOOP;

    INSERT INTO trueup.grants AS g (relation, column_name, acl)
    SELECT target, a.attname, CASE WHEN a.attnum < 0 THEN c.relacl ELSE a.attacl END
    FROM pg_class AS c
    CROSS JOIN LATERAL (
        SELECT -1::smallint AS attnum, ''::name AS attname, NULL::aclitem[] AS attacl
        UNION ALL
        SELECT a.attnum, a.attname, a.attacl FROM pg_attribute AS a
        WHERE a.attrelid = c.oid AND a.attnum > 0
    ) AS a
    WHERE c.oid = target AND (
        target <> source OR EXISTS (
            SELECT FROM generate_subscripts(columns, 1) AS n (pair)
            WHERE columns[n.pair][2] = a.attname
        )
    )
    ON CONFLICT (relation, column_name) DO UPDATE SET acl = excluded.acl;
END
$$;

-- Gives a table what was granted and takes what was revoked on a view of it since that had the same
-- grants. `columns` are pairs as above: of the table, and of the view where its name is another one.
-- With one relation on both sides, one side of its columns gets what was changed on the other.
CREATE OR REPLACE PROCEDURE trueup.carry_grants(
    base regclass, shown regclass, columns text[] DEFAULT '{}'
)
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    statement text;
BEGIN
    FOR statement IN
        WITH places (column_name, on_column) AS (
            SELECT ''::name, '' WHERE base <> shown
            UNION ALL
            SELECT v.attname, format(' (%I)', t.attname)
            FROM pg_attribute AS t
            LEFT JOIN generate_subscripts(columns, 1) AS n (pair) ON columns[n.pair][1] = t.attname
            JOIN pg_attribute AS v
                ON v.attrelid = shown AND v.attname = coalesce(columns[n.pair][2], t.attname)
            WHERE t.attrelid = base AND t.attnum > 0 AND NOT t.attisdropped
                AND (base <> shown OR n.pair IS NOT NULL)
        ),
        was AS (
            SELECT p.on_column, a.grantee, a.privilege_type, a.is_grantable
            FROM places AS p
            JOIN trueup.grants AS g ON g.relation = shown AND g.column_name = p.column_name
            CROSS JOIN LATERAL aclexplode(g.acl) AS a
        ),
        now AS (
            SELECT p.on_column, a.grantee, a.privilege_type, a.is_grantable
            FROM places AS p
            JOIN pg_class AS c ON c.oid = shown
            LEFT JOIN pg_attribute AS v ON v.attrelid = shown AND v.attname = p.column_name
            CROSS JOIN LATERAL aclexplode(
                CASE WHEN p.on_column = '' THEN c.relacl ELSE v.attacl END
            ) AS a
        ),
        changed AS (
            SELECT 'REVOKE' AS verb, f.* FROM (TABLE was EXCEPT TABLE now) AS f
            UNION ALL
            SELECT 'GRANT', f.* FROM (TABLE now EXCEPT TABLE was) AS f
        )
        SELECT concat_ws(
            ' ', c.verb, c.privilege_type || c.on_column, 'ON', base,
            CASE c.verb WHEN 'GRANT' THEN 'TO' ELSE 'FROM' END,
            coalesce(quote_ident(r.rolname), 'PUBLIC'),
            CASE WHEN c.verb = 'GRANT' AND c.is_grantable THEN 'WITH GRANT OPTION' END
        )
        FROM changed AS c
        LEFT JOIN pg_roles AS r ON r.oid = c.grantee
        CROSS JOIN pg_class AS t
        WHERE t.oid = base AND c.grantee <> t.relowner AND (c.grantee = 0 OR r.oid IS NOT NULL)
        ORDER BY c.verb DESC
    LOOP
        EXECUTE statement;
    END LOOP;

    DELETE FROM trueup.grants AS g WHERE g.relation = shown;
END
$$;

-- Keeps the service's own triggers from firing while values are put back, row security from hiding
-- rows, and foreign keys that were never validated from refusing them.
CREATE OR REPLACE PROCEDURE trueup.silence_triggers(relation regclass)
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    silenced record;
    unproven record;
    unidentified record;
BEGIN
    CREATE TEMPORARY TABLE IF NOT EXISTS aside (
        place integer GENERATED ALWAYS AS IDENTITY,
        table_id oid,
        drop_it text,
        make_it text
    ) ON COMMIT DROP;

    FOR silenced IN
        SELECT
            t.tgname,
            CASE t.tgenabled WHEN 'R' THEN 'REPLICA ' WHEN 'A' THEN 'ALWAYS ' ELSE '' END AS mode
        FROM pg_trigger AS t
        WHERE t.tgrelid = relation AND NOT t.tgisinternal AND t.tgenabled <> 'D'
    LOOP
        EXECUTE format('ALTER TABLE %s DISABLE TRIGGER %I', relation, silenced.tgname);
        INSERT INTO pg_temp.aside (table_id, make_it)
        VALUES (
            relation,
            format('ALTER TABLE %s ENABLE %sTRIGGER %I', relation, silenced.mode, silenced.tgname)
        );
    END LOOP;

    IF EXISTS (SELECT FROM pg_class AS c WHERE c.oid = relation AND c.relforcerowsecurity) THEN
        EXECUTE format('ALTER TABLE %s NO FORCE ROW LEVEL SECURITY', relation);
        INSERT INTO pg_temp.aside (table_id, make_it)
        VALUES (relation, format('ALTER TABLE %s FORCE ROW LEVEL SECURITY', relation));
    END IF;

    -- A publication refuses the UPDATE of a table that nothing identifies the rows of, which is so
    -- while its key is made again. An index that stood for the key gets its place back by name.
    -- Each partition has an identity of its own.
    FOR unidentified IN
        SELECT c.oid::regclass AS part, c.relreplident AS identity
        FROM pg_class AS c
        WHERE (
                c.oid = relation
                OR c.oid IN (SELECT p.relid FROM pg_partition_tree(relation) AS p WHERE p.isleaf)
            )
            AND c.relreplident IN ('d', 'n', 'i')
            AND NOT EXISTS (
                SELECT FROM pg_index AS i
                WHERE i.indrelid = c.oid
                    AND i.indimmediate
                    AND CASE c.relreplident WHEN 'd' THEN i.indisprimary ELSE i.indisreplident END
            )
    LOOP
        EXECUTE format('ALTER TABLE %s REPLICA IDENTITY FULL', unidentified.part);
        IF unidentified.identity IN ('d', 'n') THEN
            INSERT INTO pg_temp.aside (table_id, make_it)
            VALUES (
                relation,
                format(
                    'ALTER TABLE %s REPLICA IDENTITY %s',
                    unidentified.part,
                    CASE unidentified.identity WHEN 'd' THEN 'DEFAULT' ELSE 'NOTHING' END
                )
            );
        END IF;
    END LOOP;

    FOR unproven IN
        SELECT
            k.conname,
            pg_get_constraintdef(k.oid) AS definition,
            obj_description(k.oid, 'pg_constraint') AS note
        FROM pg_constraint AS k
        WHERE k.conrelid = relation
            AND k.contype = 'f'
            AND NOT k.convalidated
            AND k.conparentid = 0
    LOOP
        EXECUTE format('ALTER TABLE %s DROP CONSTRAINT %I', relation, unproven.conname);
        INSERT INTO pg_temp.aside (table_id, make_it)
        VALUES (
            relation,
            format(
                'ALTER TABLE %1$s ADD CONSTRAINT %2$I %3$s;'
                'COMMENT ON CONSTRAINT %2$I ON %1$s IS %4$L',
                relation, unproven.conname, unproven.definition, unproven.note
            )
        );
    END LOOP;
END
$$;

-- Makes again what was set aside, and lets silenced triggers fire again.
CREATE OR REPLACE PROCEDURE trueup.put_back(relation regclass)
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    statement text;
BEGIN
    FOR statement IN
        DELETE FROM pg_temp.aside AS a WHERE a.table_id = relation RETURNING a.make_it
    LOOP
        EXECUTE statement;
    END LOOP;
END
$$;

-- Stores a materialized view's column as it was, unless its type is another one now that is not
-- stored so.
CREATE OR REPLACE PROCEDURE trueup.store_column(
    relation regclass, column_name name, storage text, compression text
)
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    alteration text := format('ALTER MATERIALIZED VIEW %s ALTER COLUMN %I ', relation, column_name);
BEGIN
    IF EXISTS (
        SELECT FROM pg_attribute AS a
        JOIN pg_type AS t ON t.oid = a.atttypid
        WHERE a.attrelid = relation AND a.attname = column_name AND t.typstorage <> 'p'
    ) THEN
        EXECUTE alteration || 'SET STORAGE ' || storage;
        IF compression IS NOT NULL THEN
            EXECUTE alteration || 'SET COMPRESSION ' || compression;
        END IF;
    END IF;
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

-- Takes the right to call a routine from everybody but its owner. Who may call a trigger's function
-- may attach it to a table of his own, and it would run there with our rights.
CREATE OR REPLACE PROCEDURE trueup.revoke_execute(routine regprocedure)
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    granted record;
BEGIN
    FOR granted IN
        SELECT DISTINCT coalesce(nullif(acl.grantee, 0)::regrole::text, 'PUBLIC') AS grantee
        FROM pg_proc AS p
        CROSS JOIN LATERAL aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) AS acl
        WHERE p.oid = routine AND acl.grantee <> p.proowner
    LOOP
        EXECUTE format('REVOKE ALL ON ROUTINE %s FROM %s', routine, granted.grantee);
    END LOOP;
END
$$;

-- Keeps the old values of a reversal table to its owner, also where rights are given later, and tells
-- since when they are kept.
CREATE OR REPLACE PROCEDURE trueup.keep_spellings(reversal regclass, source regclass)
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    CALL trueup.revoke_all(reversal);
    IF (SELECT c.relrowsecurity FROM pg_class AS c WHERE c.oid = source) THEN
        EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', reversal);
    END IF;
    INSERT INTO trueup.kept AS k (name) VALUES (reversal::text)
    ON CONFLICT (name) DO UPDATE SET since = excluded.since, forgotten_at = NULL;
END
$$;

-- Forgets the old spellings, r, of rows that its table, t, has no more.
CREATE OR REPLACE PROCEDURE trueup.forget_deleted(reversal regclass, source regclass, same_row text)
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    EXECUTE format(
        'DELETE FROM %s AS r WHERE NOT EXISTS (SELECT FROM %s AS t WHERE %s)',
        reversal, source, same_row
    );
END
$$;

-- Since when a reversal table keeps old spellings; null where they were forgotten.
CREATE OR REPLACE FUNCTION trueup.kept_since(reversal regclass)
RETURNS timestamptz
LANGUAGE sql
STABLE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT k.since FROM trueup.kept AS k
    WHERE k.name = kept_since.reversal::text AND k.forgotten_at IS NULL
$$;

-- Empties a reversal table and takes its triggers off: a rollback then spells each old value as the new one
-- says. Refuses until the spellings have been kept for trueup.keep_for, 30 days.
CREATE OR REPLACE PROCEDURE trueup.forget_spellings(reversal regclass)
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    keep_for constant interval :=
        coalesce(nullif(current_setting('trueup.keep_for', true), ''), '30 days')::interval;
    since constant timestamptz := trueup.kept_since(reversal);
    statement text;
BEGIN
    IF since IS NULL THEN
        RAISE EXCEPTION '% keeps no old spellings', reversal
            USING ERRCODE = 'object_not_in_prerequisite_state', HINT = 'See trueup status.';
    END IF;
    IF since + keep_for > clock_timestamp() THEN
        RAISE EXCEPTION '% is kept until %: a rollback needs it', reversal, since + keep_for
            USING
                ERRCODE = 'object_not_in_prerequisite_state',
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
    UPDATE trueup.kept AS k SET forgotten_at = now() WHERE k.name = forget_spellings.reversal::text;
END
$$;

-- Warns where a rollback does not find the old spellings.
CREATE OR REPLACE PROCEDURE trueup.tell_forgotten(reversal regclass)
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF trueup.kept_since(reversal) IS NULL THEN
        RAISE WARNING '%: old values come back as the new ones say, not byte for byte', reversal
            USING DETAIL = 'Its spellings were forgotten by trueup.forget_spellings.';
    END IF;
END
$$;

-- Stops the file when a view would not show the same under the new contract as now, but for how
-- values are spelled: words are pairs of an old value and what it becomes. Where a query may show
-- other rows each time, they are only counted.
CREATE OR REPLACE PROCEDURE trueup.require_same_view(
    shown text,
    name text,
    words text[] DEFAULT '{}',
    only_counted boolean DEFAULT false
)
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    meaning text := 'pg_catalog.translate(pg_catalog.upper(%s::text COLLATE "C"), ''-'', '''')';
    became text := '';
    sides text[] := '{}';
    parts text;
    place text;
    rows_shown bigint[] := '{}';
    sums numeric[] := '{}';
    row_count bigint;
    row_sum numeric;
    samples text;
BEGIN
    FOR number IN 1 .. coalesce(array_length(words, 1), 0) LOOP
        became := became || format(
            ' WHEN %s THEN %s',
            format(meaning, quote_literal(words[number][1])),
            format(meaning, quote_literal(words[number][2]))
        );
    END LOOP;
    FOREACH place IN ARRAY ARRAY['trueup_before', 'trueup_after'] LOOP
        SELECT string_agg(
            CASE
                WHEN only_counted THEN 'NULL'
                -- A sum of floats depends on the order of its rows in its last digits.
                WHEN a.atttypid IN ('pg_catalog.float4'::regtype, 'pg_catalog.float8'::regtype)
                    THEN format('pg_catalog.to_char(%I, ''9.99999EEEE'')', a.attname)
                WHEN became = '' THEN format(meaning, quote_ident(a.attname))
                WHEN t.typcategory IN ('S', 'E') THEN format(
                    'CASE %1$s%2$s ELSE %1$s END', format(meaning, quote_ident(a.attname)), became
                )
                -- A word within another value is not looked for.
                WHEN t.typcategory IN ('A', 'C', 'Z') OR t.typname IN ('json', 'jsonb', 'xml')
                    THEN 'NULL'
                ELSE format(meaning, quote_ident(a.attname))
            END,
            ', ' ORDER BY a.attnum
        )
        INTO parts
        FROM pg_catalog.pg_attribute AS a
        JOIN pg_catalog.pg_type AS t ON t.oid = a.atttypid
        WHERE a.attrelid = format('%I.%s', place, name)::regclass AND a.attnum > 0;

        sides := sides || format('SELECT ROW(%s)::text AS seen FROM %I.%s', parts, place, name);
        EXECUTE format(
            'SELECT count(*), sum(pg_catalog.hashtextextended(seen, 0)) FROM (%s) AS s',
            sides[cardinality(sides)]
        )
        INTO row_count, row_sum;
        rows_shown := rows_shown || row_count;
        sums := sums || row_sum;
    END LOOP;

    IF rows_shown[1] <> rows_shown[2] THEN
        RAISE EXCEPTION '%: shows % rows now, and would show % under the new contract',
            shown, rows_shown[1], rows_shown[2]
            USING
                ERRCODE = 'check_violation',
                HINT = 'Drop it before, and make it again for the new contract afterwards.';
    END IF;
    IF sums[1] IS DISTINCT FROM sums[2] THEN
        EXECUTE format(
            'SELECT string_agg(seen, '', '') FROM ((%s EXCEPT ALL %s) LIMIT 3) AS s',
            sides[1], sides[2]
        )
        INTO samples;
        RAISE EXCEPTION '%: would show something else under the new contract than now: not %',
            shown, samples
            USING
                ERRCODE = 'check_violation',
                DETAIL = 'Values are compared in upper case and without dashes.',
                HINT = 'Drop it before, and make it again for the new contract afterwards.';
    END IF;
END
$$;

-- Names the NOT NULL constraints of some columns after a table; before PostgreSQL 18 they have none.
CREATE OR REPLACE PROCEDURE trueup.name_not_nulls(relation regclass, table_name text, columns name[])
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
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
        column_part := regexp_replace(item.column_name, '__new$', '');
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
CREATE OR REPLACE PROCEDURE trueup.name_not_null(
    relation regclass,
    column_name name,
    wanted name,
    note text
)
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    found name;
    other oid;
BEGIN
    SELECT k.conname INTO found
    FROM pg_constraint AS k
    JOIN pg_attribute AS a ON a.attrelid = k.conrelid AND a.attnum = k.conkey[1]
    WHERE k.conrelid = relation AND k.contype = 'n' AND a.attname = column_name;

    IF found IS NULL THEN
        RETURN;
    END IF;
    IF found <> wanted THEN
        -- Another column's may have it until it gets its own.
        SELECT k.oid INTO other
        FROM pg_constraint AS k
        WHERE k.conrelid = relation AND k.contype = 'n' AND k.conname = wanted;
        IF other IS NOT NULL THEN
            EXECUTE format(
                'ALTER TABLE %s RENAME CONSTRAINT %I TO %I', relation, wanted, 'trueup_' || other
            );
        END IF;
        EXECUTE format('ALTER TABLE %s RENAME CONSTRAINT %I TO %I', relation, found, wanted);
    END IF;
    EXECUTE format('COMMENT ON CONSTRAINT %I ON %s IS %L', wanted, relation, note);
END
$$;

-- Runs a statement about a partition, unless the partition has been dropped in the meantime.
CREATE OR REPLACE PROCEDURE trueup.if_there(partition_name text, statement text)
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF to_regclass(partition_name) IS NOT NULL THEN
        EXECUTE statement;
    END IF;
END
$$;

-- Stops the file when a partition that came later has no such index: building it would hold up all.
CREATE OR REPLACE PROCEDURE trueup.require_built(relation text, built name[], method text)
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
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
            USING
                ERRCODE = 'object_not_in_prerequisite_state',
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
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
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
            USING
                ERRCODE = 'object_not_in_prerequisite_state',
                HINT = format(
                    'Build it first: CREATE UNIQUE INDEX CONCURRENTLY %I ON %s %s;',
                    index, relation, method
                );
    END IF;
    EXECUTE format('CREATE UNIQUE INDEX %I ON %s %s', index, relation, method);
END
$$;

-- Lets those who insert one key do so one after the other. While two unique indexes guard a key,
-- ON CONFLICT watches only one of them, and two sessions at the same moment could meet in the other.
-- A transaction takes at most 50 such locks, so that a bulk load does not fill the lock table.
CREATE OR REPLACE FUNCTION trueup.hold_key(key text, relation oid)
RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    held constant integer := coalesce(nullif(current_setting('trueup.keys_held', true), ''), '0');
BEGIN
    IF held < 50 THEN
        PERFORM set_config('trueup.keys_held', (held + 1)::text, true);
        PERFORM pg_advisory_xact_lock(hashtextextended(key, relation::bigint));
    END IF;
END
$$;

-- Clients call none of these, whatever the default privileges say.
DO $$
DECLARE
    routine regprocedure;
BEGIN
    FOR routine IN SELECT p.oid FROM pg_proc AS p WHERE p.pronamespace = 'trueup'::regnamespace LOOP
        CALL trueup.revoke_execute(routine);
    END LOOP;
END
$$;
CALL trueup.revoke_all('trueup.progress');
CALL trueup.revoke_all('trueup.grants');
CALL trueup.revoke_all('trueup.kept');

CALL trueup.require_settings();
