{# What a rollback needs: old spellings, and triggers that do not see them put back. #}
{% macro spellings() %}
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
{% endmacro %}

{% macro set_aside() %}
-- Keeps the service's own triggers from firing while values are put back, row security from hiding
-- rows, and foreign keys that were never validated from refusing them.
CREATE OR REPLACE PROCEDURE trueup.silence_triggers(relation regclass)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    aside text[] := '{}';
    silenced record;
    unproven record;
    unidentified record;
BEGIN
    FOR silenced IN
        SELECT
            t.tgname,
            CASE t.tgenabled WHEN 'R' THEN 'REPLICA ' WHEN 'A' THEN 'ALWAYS ' ELSE '' END AS mode
        FROM pg_trigger AS t
        WHERE t.tgrelid = relation AND NOT t.tgisinternal AND t.tgenabled <> 'D'
    LOOP
        EXECUTE format('ALTER TABLE %s DISABLE TRIGGER %I', relation, silenced.tgname);
        aside := aside || format(
            'ALTER TABLE %s ENABLE %sTRIGGER %I', relation, silenced.mode, silenced.tgname
        );
    END LOOP;
    IF EXISTS (SELECT FROM pg_class AS c WHERE c.oid = relation AND c.relforcerowsecurity) THEN
        EXECUTE format('ALTER TABLE %s NO FORCE ROW LEVEL SECURITY', relation);
        aside := aside || format('ALTER TABLE %s FORCE ROW LEVEL SECURITY', relation);
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
            aside := aside || format(
                'ALTER TABLE %s REPLICA IDENTITY %s',
                unidentified.part,
                CASE unidentified.identity WHEN 'd' THEN 'DEFAULT' ELSE 'NOTHING' END
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
        aside := aside || format(
            'ALTER TABLE %1$s ADD CONSTRAINT %2$I %3$s;'
            'COMMENT ON CONSTRAINT %2$I ON %1$s IS %4$L',
            relation, unproven.conname, unproven.definition, unproven.note
        );
    END LOOP;

    -- Until the end of the transaction; a role need not be allowed a temporary table.
    PERFORM set_config('trueup.aside_' || relation::oid, aside::text, true);
END
$$;

-- Makes again what was set aside, and lets silenced triggers fire again.
CREATE OR REPLACE PROCEDURE trueup.put_back(relation regclass)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    statement text;
BEGIN
    FOREACH statement IN ARRAY current_setting('trueup.aside_' || relation::oid)::text[] LOOP
        EXECUTE statement;
    END LOOP;
END
$$;
{% endmacro %}
