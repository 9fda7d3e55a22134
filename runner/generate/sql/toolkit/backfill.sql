{# What fills columns of the rows that were there before. #}
{% macro backfill() %}
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

-- The service's own triggers that an UPDATE of columns they do not know would fire.
CREATE OR REPLACE FUNCTION trueup.woken_triggers(relation regclass, written text[] DEFAULT '{}')
RETURNS TABLE (name name, enabled "char")
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT t.tgname, t.tgenabled
    FROM pg_trigger AS t
    JOIN pg_proc AS p ON p.oid = t.tgfoid
    WHERE t.tgrelid = relation AND NOT t.tgisinternal AND t.tgenabled <> 'D'
        AND t.tgtype & 16 <> 0 AND p.pronamespace <> 'trueup'::regnamespace
        AND (t.tgattr::text = '' OR EXISTS (
            SELECT FROM pg_attribute AS a
            WHERE a.attrelid = t.tgrelid AND a.attnum = ANY (t.tgattr::int2[]) AND a.attname = ANY (written)
        ))
$$;

-- Fills columns of the rows that were there before, $1 of an UPDATE, in batches of 128 pages with a COMMIT
-- each. It waits for no client: a row that one holds is passed over, and come back to. It can be stopped and
-- called again. What commits can have no SET clause: each transaction sets the search_path itself.
CREATE OR REPLACE PROCEDURE trueup.fill_rows(
    file text,
    relation regclass,
    unfilled text, -- a condition
    fill text,
    statistics text,
    proof text DEFAULT NULL,
    listed text[] DEFAULT '{}', -- those of the columns that triggers of UPDATE OF name
    path name[] DEFAULT '{}'
)
LANGUAGE plpgsql
AS $$
#variable_conflict use_column
DECLARE
    -- Pages are full. The first pass moves a fifth of their rows away; the later ones, of a tenth each, then
    -- find room on the same page, which spares the indexes, and each frees the room for the next. A pass
    -- goes over a whole stretch: when the next one comes, no snapshot needs what it left behind.
    batch_pages bigint := 128;
    stretch_pages bigint;
    passes constant integer := 9;
    pass integer := 0;
    free text;
    -- What a run of trueup asks of its sessions: to walk some of the pages, in smaller batches; or only to come
    -- back to what such walks left.
    asked text[];
    is_part boolean := false;
    loud_triggers text;
    has_triggers boolean;
    pages bigint;
    page bigint;
    page_end bigint;
    batch bigint;
    batch_end bigint;
    tries integer := 0;
    filled bigint;
    free_rows tid[];
    -- What the walk left; unknown before it is over.
    rows_left bigint;
    fewest_left bigint;
    give_up timestamptz;
    holders text;
BEGIN
    PERFORM pg_catalog.set_config('search_path', 'pg_catalog', true);
    CALL trueup.require_settings(path);
    pages := pg_relation_size(relation) / current_setting('block_size')::bigint;
    asked := string_to_array(current_setting('trueup.walk', true), ' ');
    page := 0;
    page_end := pages;
    IF asked[1] = pg_backend_pid()::text THEN
        is_part := cardinality(asked) > 1;
        page := coalesce(asked[2]::bigint, pages);
        page_end := coalesce(asked[3]::bigint, pages);
        batch_pages := least(batch_pages, asked[4]::bigint);
    END IF;
    stretch_pages := 10 * batch_pages;
    batch := page;
    -- Of the rows that are left each fifth, or eighth ..., so as many of each page; to scan the pages frees room.
    free := format(
        'SELECT ARRAY(SELECT ctid FROM %1$s WHERE (%2$s) AND ctid = ANY (ARRAY('
        'SELECT place FROM (SELECT ctid, row_number() OVER () FROM %1$s '
        'WHERE ctid >= $1 AND ctid < $2 AND (%2$s)) AS r (place, number) WHERE number %% $3 = 0'
        ')) FOR NO KEY UPDATE SKIP LOCKED)',
        relation, unfilled
    );
    LOOP
        COMMIT;
        SET TRANSACTION ISOLATION LEVEL READ COMMITTED;
        CALL trueup.fix_transaction();
        IF page >= page_end THEN
            IF is_part THEN
                RETURN;
            END IF;
            -- Later rows were filled by the trigger, so clients held what is left: come back to it.
            EXECUTE format(
                'SELECT (min(ctid)::text::point)[0], (max(ctid)::text::point)[0] + 1, count(*) FROM %s WHERE %s',
                relation, unfilled
            )
            INTO page, page_end, rows_left;
            EXIT WHEN rows_left = 0;
            IF fewest_left IS NULL OR rows_left < fewest_left THEN
                fewest_left := rows_left;
                give_up := clock_timestamp() + interval '10 s';
            ELSIF clock_timestamp() > give_up THEN
                EXECUTE format(
                    'SELECT string_agg(DISTINCT coalesce(''process '' || pid, ''a prepared transaction''), '', '') '
                    'FROM pg_locks WHERE transactionid IN (SELECT xmax FROM %s WHERE %s)',
                    relation, unfilled
                )
                INTO holders;
                RAISE EXCEPTION '%: all rows are converted but %, held by %',
                    relation, rows_left, coalesce(holders, 'other transactions')
                    USING ERRCODE = 'lock_not_available';
            END IF;
            PERFORM pg_sleep(0.1 * (1 + random()));
            batch := page;
        END IF;

        -- Giving up rather than a client in a deadlock.
        PERFORM set_config('lock_timeout', '200ms', true);
        -- A crash may lose the last batches, not the record that all of them are done.
        PERFORM set_config('synchronous_commit', 'off', true);
        -- To read a small table through looks cheaper than to fetch each row, and each batch would.
        PERFORM set_config('enable_seqscan', 'off', true);
        batch_end := batch + CASE WHEN pass = 0 OR rows_left > 0 THEN batch_pages ELSE 3 * batch_pages END;
        BEGIN
            -- As the UPDATE will; from here on nobody can make a trigger that it would fire.
            EXECUTE format('LOCK TABLE %s IN ROW EXCLUSIVE MODE', relation);
            -- The service's own triggers are not to see it: they would stamp or log every row.
            SELECT string_agg(name, ', ') FILTER (WHERE enabled <> 'O'), count(*) > 0
            INTO loud_triggers, has_triggers
            FROM trueup.woken_triggers(relation, listed);
            IF loud_triggers IS NOT NULL THEN
                RAISE EXCEPTION '%: the backfill would fire %, which is enabled as ALWAYS or REPLICA', relation, loud_triggers
                    USING HINT = 'Disable it until the backfill is done.';
            ELSIF has_triggers THEN
                PERFORM set_config('session_replication_role', 'replica', true);
            END IF;
            EXECUTE free INTO free_rows USING
                format('(%s,0)', batch)::tid,
                format('(%s,0)', least(batch_end, page + stretch_pages, page_end))::tid,
                CASE WHEN rows_left > 0 THEN 1 WHEN pass = 0 THEN 5 ELSE passes - pass END;
            EXECUTE fill USING free_rows;
            GET DIAGNOSTICS filled = ROW_COUNT;
            tries := 0;
        EXCEPTION
            WHEN lock_not_available OR deadlock_detected THEN
                tries := tries + 1;
                IF tries > 100 THEN
                    RAISE;
                END IF;
        END;
        IF tries > 0 THEN
            -- Somebody holds the table: come again.
            PERFORM pg_sleep(0.05 * (1 + random()));
        ELSIF filled < cardinality(free_rows) THEN
            RAISE EXCEPTION '%: rows are left that the backfill could not convert', relation
                USING HINT = format(
                    'A rule or a trigger may have silenced the UPDATE. See them with: SELECT * FROM %s WHERE %s;',
                    relation, unfilled
                );
        ELSE
            batch := batch_end;
            IF batch >= least(page + stretch_pages, page_end) THEN
                pass := (pass + 1) % passes;
                IF pass = 0 OR rows_left > 0 THEN
                    page := least(page + stretch_pages, page_end);
                END IF;
                batch := page;
            END IF;
            IF filled > 0 OR rows_left IS NULL THEN
                INSERT INTO trueup.progress AS p (file, table_name, rows_done, page, pages)
                VALUES (file, relation::text, filled, CASE WHEN rows_left > 0 THEN pages ELSE page END, pages)
                ON CONFLICT (file) DO UPDATE
                SET
                    rows_done = p.rows_done + excluded.rows_done,
                    -- Walks in several sessions end in any order; the run says how far all are.
                    page = CASE WHEN is_part THEN p.page ELSE excluded.page END,
                    pages = CASE WHEN is_part THEN p.pages ELSE excluded.pages END,
                    updated_at = clock_timestamp();
            END IF;
        END IF;
    END LOOP;

    -- A vacuum gives way within a second or two; clients are not kept waiting meanwhile.
    PERFORM set_config('lock_timeout', '5s', true);
    IF proof IS NOT NULL THEN
        EXECUTE proof;
        COMMIT;
        SET TRANSACTION ISOLATION LEVEL READ COMMITTED;
        CALL trueup.fix_transaction();
        PERFORM set_config('lock_timeout', '5s', true);
    END IF;
    BEGIN
        EXECUTE statistics;
    EXCEPTION
        WHEN lock_not_available THEN
            RAISE WARNING '% was not analyzed: another session keeps it', relation
                USING HINT = format('When it is done: ANALYZE %s;', relation);
    END;
END
$$;

-- Stops the file when the backfill would fire triggers of the service, which may change rows.
CREATE OR REPLACE PROCEDURE trueup.require_silent(relation text, written text[] DEFAULT '{}')
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
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
            USING ERRCODE = 'object_not_in_prerequisite_state',
                HINT = 'Let its function name the columns, or drop the trigger before.';
    END IF;

    SELECT string_agg(quote_ident(t.name), ', ' ORDER BY t.name) INTO names
    FROM trueup.woken_triggers(relation::regclass, written) AS t;
    IF names IS NULL THEN
        RETURN;
    END IF;
    IF EXISTS (
        SELECT FROM trueup.woken_triggers(relation::regclass, written) AS t WHERE t.enabled <> 'O'
    ) THEN
        RAISE EXCEPTION '%: the backfill would fire %', relation, names
            USING ERRCODE = 'object_not_in_prerequisite_state',
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
            USING ERRCODE = 'insufficient_privilege',
                HINT = format(
                    'Run as a superuser, or, from PostgreSQL 15 on: '
                    'GRANT SET ON PARAMETER session_replication_role TO %I;',
                    current_user
                );
END
$$;

-- Stops the file when a trigger reads or writes a converted column before both sides of a row are kept: a
-- write of the new contract would pass it by, or be undone by it.
CREATE OR REPLACE PROCEDURE trueup.require_late(relation text, columns text[])
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    names text;
BEGIN
    SELECT string_agg(DISTINCT format('%I runs %s', t.tgname, p.oid::regprocedure), ', ') INTO names
    FROM pg_trigger AS t
    JOIN pg_proc AS p ON p.oid = t.tgfoid
    JOIN pg_language AS l ON l.oid = p.prolang
    CROSS JOIN unnest(columns) AS c (name)
    CROSS JOIN regexp_replace(c.name, '([^[:alnum:]_])', '\\\1', 'g') AS x (pattern)
    WHERE t.tgrelid = relation::regclass AND NOT t.tgisinternal AND t.tgenabled <> 'D'
        AND t.tgtype & 3 = 3 AND t.tgtype & 20 <> 0 -- BEFORE, of rows, INSERT or UPDATE
        AND p.pronamespace <> 'trueup'::regnamespace
        AND (
            -- Without comments and texts.
            regexp_replace(p.prosrc, '--[^\n]*|/\*([^*]|\*+[^*/])*\*+/|''[^'']*''', ' ', 'g') ~* concat(
                CASE l.lanname WHEN 'plpgsql' THEN '\m(new|old)\M\)?\s*\.\s*' ELSE '(^|[^[:alnum:]_$])' END,
                '"?', x.pattern, '(?![[:alnum:]_$])'
            )
            -- An argument.
            OR strpos(
                '\000' || encode(t.tgargs, 'escape'), '\000' || encode(convert_to(c.name, getdatabaseencoding()), 'escape') || '\000'
            ) > 0
        );
    IF names IS NOT NULL THEN
        RAISE EXCEPTION '%: a trigger fires before both sides of a row are kept, and names one: %',
            relation, names
            USING ERRCODE = 'object_not_in_prerequisite_state',
                DETAIL = 'A write of the new contract would pass it by, or be undone by it.',
                HINT = 'Let it fire AFTER, let a CHECK or a default do its work, or convert the table by the '
                    'window strategy.';
    END IF;
END
$$;
{% endmacro %}
