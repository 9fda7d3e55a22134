-- Since when each reversal table keeps old spellings.
CREATE TABLE IF NOT EXISTS trueup.kept (
    name text PRIMARY KEY,
    since timestamptz NOT NULL DEFAULT now(),
    forgotten_at timestamptz
);

-- Since when a reversal table keeps old spellings; null where they were forgotten.
CREATE OR REPLACE FUNCTION trueup.kept_since(reversal regclass)
RETURNS timestamptz LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT k.since FROM trueup.kept AS k
    WHERE k.name = kept_since.reversal::text AND k.forgotten_at IS NULL
$$;

-- Empties a reversal table and takes its triggers off: a rollback then spells each old value as the new one
-- says. Refuses until the spellings have been kept for trueup.keep_for, 30 days.
CREATE OR REPLACE PROCEDURE trueup.forget_spellings(reversal regclass)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
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
    UPDATE trueup.kept AS k SET forgotten_at = now() WHERE k.name = forget_spellings.reversal::text;
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

-- Forgets the old spellings, r, of rows that its table, t, has no more.
CREATE OR REPLACE PROCEDURE trueup.forget_deleted(reversal regclass, source regclass, same_row text)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    EXECUTE format(
        'DELETE FROM %s AS r WHERE NOT EXISTS (SELECT FROM %s AS t WHERE %s)',
        reversal, source, same_row
    );
END
$$;

-- Warns where a rollback does not find the old spellings.
CREATE OR REPLACE PROCEDURE trueup.tell_forgotten(reversal regclass)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF trueup.kept_since(reversal) IS NULL THEN
        RAISE WARNING '%: old values come back as the new ones say, not byte for byte', reversal
            USING DETAIL = 'Its spellings were forgotten by trueup.forget_spellings.';
    END IF;
END
$$;
