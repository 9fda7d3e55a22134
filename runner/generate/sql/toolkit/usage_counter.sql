{# How a compat view tells its uses. #}
{% macro counter() %}
-- What was read of each old name's usage counter. UNLOGGED: whatever makes a server forget its counters
-- (a crash, a failover, a restored backup) empties this table too; a clean restart keeps both.
-- trueup: ignore unlogged-table because a crash must empty it
CREATE UNLOGGED TABLE IF NOT EXISTS trueup.odometer (
    compat_view text,
    server text, -- empty, or a standby
    shown jsonb NOT NULL,
    queries bigint GENERATED ALWAYS AS ((shown ->> 'queries')::bigint) STORED,
    read_at timestamptz NOT NULL,
    PRIMARY KEY (compat_view, server)
);

-- Who may use an old name's marker, and so keep contract away: the owner of the view, with whose rights
-- its clients read it, and those of the functions that keep both sides equal. Under a view with
-- security_invoker, which row security needs, everybody.
CREATE OR REPLACE PROCEDURE trueup.share_marker(marker regclass, old_name regclass)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    own_name constant text := (SELECT c.relname FROM pg_class AS c WHERE c.oid = marker);
    grantee text;
BEGIN
    CALL trueup.keep_private(own_name);
    FOR grantee IN
        SELECT v.relowner::regrole::text FROM pg_class AS v WHERE v.oid = old_name
        UNION
        SELECT p.proowner::regrole::text FROM pg_proc AS p
        WHERE p.pronamespace = 'trueup'::regnamespace AND p.prosecdef
        UNION
        SELECT 'PUBLIC' FROM pg_class AS v
        CROSS JOIN LATERAL pg_options_to_table(v.reloptions) AS o
        WHERE v.oid = old_name AND o.option_name = 'security_invoker' AND o.option_value::boolean
    LOOP
        EXECUTE format('GRANT SELECT ON %s TO %s', marker, grantee);
    END LOOP;
END
$$;

-- What this server, maybe a standby, knows now of the use of an old name. With `counting` it uses the
-- name's marker once itself: a reading proves that uses are counted.
CREATE OR REPLACE FUNCTION trueup.show_odometer(old_name regclass, counting boolean DEFAULT false)
RETURNS jsonb LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on AS $$
DECLARE
    here constant oid := (SELECT oid FROM pg_database WHERE datname = current_database());
    -- With a view that is its own: where an earlier version has none, anybody may have put one there.
    extension constant regnamespace := (
        SELECT e.extnamespace
        FROM pg_extension AS e
        JOIN pg_depend AS d ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid AND d.deptype = 'e'
        JOIN pg_class AS c ON d.classid = 'pg_class'::regclass AND c.oid = d.objid AND c.relname = 'pg_stat_statements_info'
        WHERE e.extname = 'pg_stat_statements'
    );
    marker regclass;
    naming text; -- a pattern; null where the table has the same name, so that no text tells them apart
    before bigint;
    shown jsonb;
    heard jsonb;
BEGIN
    SELECT
        d.refobjid,
        jsonb_build_object('name', format('%I.%I', n.nspname, v.relname)),
        -- SQL that names the view in a clause, after comments or not, or in a text that it executes.
        CASE WHEN t.oid IS NULL THEN format(
            '((\m(from|join|into|update|using|only|table)\M|\mfrom\M((?!\m(where|group|order|set)\M)[^;])*,)'
            '(\s|\(|\monly\M|--[^\n]*|/\*([^*]|\*+[^*/])*\*+/)*|\mexecute\M.*''|''(?=.*\mexecute\M))'
            '(("?[\w$]+"?\s*\.\s*)?"?%s"?\s*\.\s*)?"?%s"?(?![\w$".])',
            regexp_replace(replace(n.nspname, '"', '""'), '(\W)', '\\\1', 'g'),
            regexp_replace(replace(v.relname, '"', '""'), '(\W)', '\\\1', 'g')
        ) END
    INTO marker, shown, naming
    FROM pg_class AS v
    JOIN pg_namespace AS n ON n.oid = v.relnamespace
    JOIN pg_rewrite AS r ON r.ev_class = v.oid
    JOIN pg_depend AS d ON d.classid = 'pg_rewrite'::regclass AND d.objid = r.oid
    JOIN pg_class AS m ON m.oid = d.refobjid AND m.relkind = 'm'
    LEFT JOIN pg_depend AS dt ON dt.classid = 'pg_rewrite'::regclass AND dt.objid = r.oid
        AND EXISTS (
            SELECT FROM pg_class AS c
            WHERE c.oid = dt.refobjid AND c.relkind IN ('r', 'p') AND c.relname = v.relname
        )
    LEFT JOIN pg_class AS t ON t.oid = dt.refobjid
    WHERE v.oid = old_name AND m.relnamespace = 'trueup'::regnamespace
    LIMIT 1;
    IF marker IS NULL THEN
        RAISE EXCEPTION '% is no old name whose uses are counted', old_name
            USING ERRCODE = 'wrong_object_type', HINT = 'See the old names with: trueup status';
    END IF;

    PERFORM pg_stat_clear_snapshot();
    before := pg_stat_get_numscans(marker) + pg_stat_get_xact_numscans(marker);
    IF counting THEN
        EXECUTE format('SELECT FROM %s', marker);
    END IF;
    SELECT shown || jsonb_build_object(
        'queries', pg_stat_get_numscans(marker) + pg_stat_get_xact_numscans(marker),
        'last_use', CASE WHEN pg_stat_get_xact_numscans(marker) > 0 THEN to_jsonb(clock_timestamp())
            ELSE (SELECT to_jsonb(s) -> 'last_seq_scan' FROM pg_stat_all_tables AS s WHERE relid = marker) END,
        -- A counter of another server, database or marker, or one that was reset, cannot be compared.
        'counter', concat_ws(
            '/', system_identifier, here, marker::oid, extract(epoch FROM pg_stat_get_db_stat_reset_time(here))
        ),
        'off', (
            SELECT string_agg(c.place, ', ')
            FROM (
                SELECT 'this session', ARRAY['track_counts=' || (setting::boolean AND source !~ 'user|client|session')]
                FROM pg_settings WHERE name = 'track_counts'
                UNION ALL
                SELECT CASE setrole WHEN 0 THEN 'the database' ELSE 'role ' || setrole::regrole END, setconfig
                FROM pg_db_role_setting WHERE setdatabase IN (0, here)
                UNION ALL
                SELECT 'function ' || oid::regprocedure, proconfig FROM pg_proc
            ) AS c (place, config)
            CROSS JOIN unnest(c.config) AS value
            WHERE value LIKE 'track_counts=%' AND NOT split_part(value, '=', 2)::boolean
        ),
        'one_name', naming IS NULL,
        'holders', (
            SELECT string_agg(DISTINCT coalesce(
                'process ' || l.pid || format(' (%s, %s)', a.usename, a.application_name),
                'a prepared transaction, see pg_prepared_xacts'
            ), ', ')
            FROM pg_locks AS l LEFT JOIN pg_stat_activity AS a ON a.pid = l.pid
            WHERE l.locktype = 'relation' AND l.database = here AND l.relation = old_name
                AND l.pid IS DISTINCT FROM pg_backend_pid()
        ),
        'definitions', (
            SELECT string_agg(d.said, ', ')
            FROM (
                SELECT 'function ' || oid::regprocedure FROM pg_proc
                WHERE pronamespace NOT IN ('trueup'::regnamespace, 'pg_catalog'::regnamespace)
                    AND prosrc ~* naming
                UNION
                SELECT coalesce('view ' || r.ev_class::regclass, pg_describe_object(d.classid, d.objid, 0))
                FROM pg_depend AS d
                LEFT JOIN pg_rewrite AS r ON d.classid = 'pg_rewrite'::regclass AND r.oid = d.objid
                WHERE d.refclassid = 'pg_class'::regclass AND d.refobjid = old_name AND d.deptype = 'n'
                    AND r.ev_class IS DISTINCT FROM old_name
                UNION
                -- Of a table that is not converted with it: the old key could not go.
                SELECT format('foreign key %s of %s', quote_ident(k.conname), k.conrelid::regclass)
                FROM pg_rewrite AS r
                JOIN pg_depend AS d ON d.classid = 'pg_rewrite'::regclass AND d.objid = r.oid
                    AND d.refclassid = 'pg_class'::regclass AND d.refobjsubid > 0
                JOIN pg_attribute AS a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid AND a.attname LIKE '%\_\_old'
                JOIN pg_constraint AS k ON k.contype = 'f' AND k.conparentid = 0 AND k.confrelid = d.refobjid
                    AND a.attnum = ANY (k.confkey)
                WHERE r.ev_class = old_name AND NOT EXISTS (
                    SELECT FROM pg_trigger AS g
                    JOIN pg_proc AS p ON p.oid = g.tgfoid AND p.pronamespace = 'trueup'::regnamespace
                    WHERE g.tgrelid = k.conrelid
                )
            ) AS d (said)
        )
    )
    INTO shown FROM pg_control_system();
    IF counting AND (shown ->> 'queries')::bigint <= before THEN
        shown := shown || '{"off": "this session"}';
    END IF;

    BEGIN
        EXECUTE format(
            $query$
            SELECT jsonb_strip_nulls(jsonb_build_object(
                'calls', coalesce(jsonb_object_agg(q.text, q.calls) FILTER (WHERE q.text <> ''), '{}'),
                'kept', (SELECT concat(dealloc, '/', extract(epoch FROM stats_reset)) FROM %1$s.pg_stat_statements_info),
                'deaf', CASE
                    WHEN $1 IS NULL THEN 'both contracts have this name: a text does not tell which it means'
                    WHEN current_setting('pg_stat_statements.track') = 'none' OR EXISTS (
                        SELECT FROM pg_db_role_setting WHERE 'pg_stat_statements.track=none' = ANY (setconfig)
                    )
                    THEN 'pg_stat_statements.track is none'
                    WHEN bool_or(q.text IS NULL) THEN format('GRANT pg_read_all_stats TO %%I;', current_user)
                END
            ))
            FROM (
                SELECT
                    CASE
                        WHEN nullif(query, '<insufficient privilege>') IS NULL THEN NULL
                        -- Most do not hold the name at all, and the pattern is dear.
                        WHEN strpos(lower(query), $2) > 0 AND query ~* $1
                        THEN left(regexp_replace(query, '\s+', ' ', 'g'), 200)
                        ELSE ''
                    END AS text,
                    sum(calls) AS calls
                FROM %1$s.pg_stat_statements WHERE dbid = $3 GROUP BY 1
            ) AS q
            $query$,
            extension
        )
        INTO heard USING naming, (SELECT lower(relname) FROM pg_class WHERE oid = old_name), here;
    EXCEPTION
        WHEN OTHERS THEN
            heard := jsonb_build_object(
                'deaf', CASE WHEN extension IS NOT NULL THEN sqlerrm ELSE concat(
                    'the extension is not in this database', (
                        SELECT ' in the server''s version: ALTER EXTENSION pg_stat_statements UPDATE'
                        FROM pg_extension WHERE extname = 'pg_stat_statements'
                    )
                ) END
            );
    END;
    RETURN shown || heard;
END
$$;

-- What each witness says of an old name: since when it is unused as far as that one knows, null when
-- it may be in use; of one that was not heard, why.
CREATE OR REPLACE FUNCTION trueup.witnesses(
    old_name regclass, server_shows jsonb DEFAULT NULL, server_name text DEFAULT ''
)
RETURNS TABLE (witness text, heard boolean, unused_since timestamptz, says text)
LANGUAGE sql SET search_path = pg_catalog, pg_temp AS $$
    WITH shown AS MATERIALIZED (
        SELECT coalesce(server_shows, trueup.show_odometer(old_name)) AS now
    ), compared AS MATERIALIZED (
        SELECT
            s.now,
            o.shown AS was,
            o.read_at,
            ' since it was read at ' || date_trunc('second', o.read_at) AS since,
            (s.now ->> 'queries')::bigint - o.queries AS uses,
            (s.now ->> 'last_use')::timestamptz AS last_use,
            (
                SELECT string_agg(c.key, '; ') FROM jsonb_each(s.now -> 'calls') AS c
                WHERE o.shown ? 'calls' AND c.value IS DISTINCT FROM o.shown -> 'calls' -> c.key
            ) AS called
        FROM shown AS s
        LEFT JOIN trueup.odometer AS o ON o.compat_view = s.now ->> 'name' AND o.server = server_name
    )
    -- Of each witness the first that applies.
    SELECT DISTINCT ON (w.witness) w.witness, w.heard, w.unused_since, w.says
    FROM compared AS c
    CROSS JOIN LATERAL (
        VALUES
        (1, 'counter', c.now ->> 'off' IS NOT NULL, true, NULL::timestamptz,
            'track_counts is off for ' || (c.now ->> 'off')),
        (2, 'counter', c.was IS NULL, true, NULL,
            'has no reading: none was taken, or a crash, a failover or a restore has lost it'),
        (3, 'counter', c.now -> 'counter' <> c.was -> 'counter' OR c.uses < 0, true, NULL,
            'is not the one that was read: it was reset, lost or copied'),
        (4, 'counter', c.uses = 0, true, c.read_at, 'no use' || c.since),
        -- Only PostgreSQL 16 and later date the last one.
        (5, 'counter', true, true, CASE WHEN c.last_use IS NOT NULL THEN greatest(c.last_use, c.read_at) END,
            'uses: ' || c.uses || c.since),
        (1, 'pg_stat_statements', c.called IS NOT NULL, true, NULL, c.called),
        (2, 'pg_stat_statements', c.now ? 'deaf', false, '-infinity', c.now ->> 'deaf'),
        (3, 'pg_stat_statements', NOT c.was ? 'calls', false, '-infinity', 'not heard at the last reading'),
        (4, 'pg_stat_statements', c.now -> 'kept' <> c.was -> 'kept', false, '-infinity',
            'has forgotten statements since the last reading'),
        (5, 'pg_stat_statements', true, true, c.read_at, 'no statement names it' || c.since),
        (1, 'locks', c.now ->> 'holders' IS NOT NULL, true, NULL, c.now ->> 'holders'),
        (2, 'locks', true, true, '-infinity', 'nobody holds one on it'),
        (1, 'definitions', c.now ->> 'definitions' IS NOT NULL, true, NULL, c.now ->> 'definitions'),
        (2, 'definitions', (c.now ->> 'one_name')::boolean, false, '-infinity',
            'no view names it; of functions a text does not tell, as both contracts have this name'),
        (3, 'definitions', true, true, '-infinity', 'no function and no view names it')
    ) AS w (place, witness, applies, heard, unused_since, says)
    WHERE w.applies
    ORDER BY w.witness, w.place
$$;

-- Reads an old name's counter: the waiting period begins anew.
CREATE OR REPLACE PROCEDURE trueup.read_odometer(
    old_name regclass, server_shows jsonb DEFAULT NULL, server_name text DEFAULT ''
)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    shows constant jsonb := coalesce(server_shows, trueup.show_odometer(old_name, counting => true));
BEGIN
    DELETE FROM trueup.odometer WHERE compat_view = shows ->> 'name' AND server = server_name;
    IF shows ->> 'off' IS NOT NULL THEN
        RAISE WARNING '% cannot be read: track_counts is off for %', old_name, shows ->> 'off';
        RETURN;
    END IF;
    INSERT INTO trueup.odometer (compat_view, server, shown, read_at)
    VALUES (shows ->> 'name', server_name, shows, clock_timestamp());
    IF current_setting('server_version_num')::integer >= 150000 THEN
        PERFORM pg_stat_force_next_flush();
    END IF;
END
$$;

-- Stops the file while an old name may be in use, and says what each witness knows.
CREATE OR REPLACE PROCEDURE trueup.require_unused(old_name regclass)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    waiting_period constant interval :=
        coalesce(nullif(current_setting('trueup.waiting_period', true), ''), '24 hours')::interval;
    forced constant jsonb := coalesce(nullif(current_setting('trueup.force', true), ''), '[]');
    known text;
    objection text;
    since timestamptz;
BEGIN
    IF EXISTS (SELECT FROM jsonb_array_elements_text(forced) AS f WHERE to_regclass(f) = old_name) THEN
        RETURN;
    END IF;
    -- Before PostgreSQL 15 another process writes what was counted, twice a second.
    PERFORM pg_sleep(1) WHERE current_setting('server_version_num')::integer < 150000;
    SELECT
        string_agg(w.witness || CASE WHEN w.heard THEN ': ' ELSE ', not heard: ' END || w.says, E'\n'),
        min(w.witness || ': ' || w.says) FILTER (WHERE w.unused_since IS NULL),
        max(w.unused_since)
    INTO known, objection, since
    FROM trueup.witnesses(old_name) AS w;
    IF objection IS NULL AND since + waiting_period <= clock_timestamp() THEN
        RAISE NOTICE '% is unused since %', old_name, date_trunc('second', since) USING DETAIL = known;
        RETURN;
    END IF;

    RAISE EXCEPTION '% may still be in use: %', old_name, coalesce(
        objection, 'nothing proves that it was unused before ' || date_trunc('second', since)
    )
        USING ERRCODE = 'object_in_use', DETAIL = known, HINT = CASE
            WHEN objection IS NULL
            THEN format(
                'Contract is allowed from %s on, after %s without a use: see trueup status; '
                '--waiting-period, or trueup.waiting_period, sets how long.',
                date_trunc('second', since + waiting_period), waiting_period
            )
            ELSE format(
                'See who uses it: trueup status. Then begin the waiting period (--waiting-period, or '
                'trueup.waiting_period) anew: CALL trueup.read_odometer(%L);',
                old_name
            )
        END;
END
$$;
{% endmacro %}
