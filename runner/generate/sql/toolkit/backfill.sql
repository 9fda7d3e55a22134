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
        AND t.tgtype & 16 <> 0
        -- A function's owner may have let it run with the rights of who writes.
        AND NOT (p.pronamespace = 'trueup'::regnamespace AND p.prosecdef)
        AND (t.tgattr::text = '' OR EXISTS (
            SELECT FROM pg_attribute AS a
            WHERE a.attrelid = t.tgrelid AND a.attnum = ANY (t.tgattr::int2[]) AND a.attname = ANY (written)
        ))
$$;

-- Fills columns of the rows that were there before, $1 of an UPDATE, in batches of as many rows as 80 pages hold,
-- with a COMMIT each. It waits for no client: a row that one holds is passed over, and come back to. It can be
-- stopped and called again. What commits can have no SET clause: each transaction sets the search_path itself.
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
    batch_pages bigint := 80;
    batches text;
    batch record;
    hold text;
    held record;
    -- What a run of trueup asks of its sessions: to walk some of the pages, in smaller batches; or only to come
    -- back to what such walks left.
    asked text[];
    is_part boolean := false;
    loud_triggers text;
    has_triggers boolean;
    pages bigint;
    page bigint := 0;
    page_end bigint;
    stretch_end bigint;
    tries integer;
    filled bigint;
    -- What the walk left; unknown before it is over.
    rows_left bigint;
    fewest_left bigint;
    give_up timestamptz;
    holders text;
BEGIN
    PERFORM pg_catalog.set_config('search_path', 'pg_catalog', true);
    CALL trueup.require_settings(path);
    pages := pg_relation_size(relation) / current_setting('block_size')::bigint;
    page_end := pages;
    asked := string_to_array(current_setting('trueup.walk', true), ' ');
    IF asked[1] = pg_backend_pid()::text THEN
        is_part := cardinality(asked) > 1;
        page := coalesce(asked[2]::bigint, pages);
        page_end := coalesce(asked[3]::bigint, pages);
        batch_pages := least(batch_pages, asked[4]::bigint);
    END IF;
    -- Pages are full. The first eighth of a stretch's rows leaves its pages; the next ones then find room on theirs,
    -- which spares the indexes, and each frees the room for the next. Each goes over the whole stretch, in two
    -- batches: then no snapshot needs any more what the one before left behind.
    batches := format(
        'SELECT array_agg(place) AS places, min(place) AS first, max(place) AS last '
        'FROM (SELECT ctid, row_number() OVER (), count(*) OVER () FROM %s '
        'WHERE ctid >= $1 AND ctid < $2 AND (%s)) AS r (place, number, rows) '
        'GROUP BY number %% 8, 2 * number / (rows + 1) ORDER BY number %% 8, 2 * number / (rows + 1)',
        relation, unfilled
    );
    -- What frees the room is that a page is read. A row that a client has moved meanwhile is filled.
    hold := format(
        'SELECT (SELECT count(*) FROM %1$s WHERE ctid BETWEEN $2 AND $3) AS rows_read, '
        'ARRAY(SELECT ctid FROM %1$s WHERE ctid = ANY ($1) AND (%2$s) FOR NO KEY UPDATE SKIP LOCKED) AS places',
        relation, unfilled
    );
    LOOP
        COMMIT;
        SET TRANSACTION ISOLATION LEVEL READ COMMITTED;
        CALL trueup.fix_transaction();
        -- Who waits for a table to read it is in nobody's way.
        PERFORM set_config('lock_timeout', '0', true);
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
        END IF;

        stretch_end := least(page + 16 * batch_pages, page_end);
        FOR batch IN EXECUTE batches USING format('(%s,0)', page)::tid, format('(%s,0)', stretch_end)::tid LOOP
            tries := 0;
            LOOP
                COMMIT;
                SET TRANSACTION ISOLATION LEVEL READ COMMITTED;
                CALL trueup.fix_transaction();
                -- Giving up rather than a client in a deadlock.
                PERFORM set_config('lock_timeout', '200ms', true);
                -- A crash may lose the last batches, not the record that all of them are done.
                PERFORM set_config('synchronous_commit', 'off', true);
                -- To read a small table through looks cheaper than to fetch each row, and each batch would.
                PERFORM set_config('enable_seqscan', 'off', true);
                BEGIN
                    -- As the UPDATE will; from here on nobody can make a trigger that it would fire.
                    EXECUTE format('LOCK TABLE %s IN ROW EXCLUSIVE MODE', relation);
                    -- The service's own triggers are not to see it: they would stamp or log every row.
                    SELECT string_agg(name, ', ') FILTER (WHERE enabled <> 'O'), count(*) > 0
                    INTO loud_triggers, has_triggers
                    FROM trueup.woken_triggers(relation, listed);
                    IF loud_triggers IS NOT NULL THEN
                        RAISE EXCEPTION '%: the backfill would fire %, which is enabled as ALWAYS or REPLICA',
                            relation, loud_triggers
                            USING HINT = 'Disable it until the backfill is done.';
                    ELSIF has_triggers THEN
                        PERFORM set_config('session_replication_role', 'replica', true);
                    END IF;
                    EXECUTE hold INTO held USING batch.places, batch.first, batch.last;
                    EXECUTE fill USING held.places;
                    GET DIAGNOSTICS filled = ROW_COUNT;
                    EXIT;
                EXCEPTION
                    WHEN lock_not_available OR deadlock_detected THEN
                        tries := tries + 1;
                        IF tries > 100 THEN
                            RAISE;
                        END IF;
                END;
                -- Somebody holds the table: come again.
                PERFORM pg_sleep(0.05 * (1 + random()));
            END LOOP;
            IF filled < cardinality(held.places) THEN
                RAISE EXCEPTION '%: rows are left that the backfill could not convert', relation
                    USING HINT = format(
                        'A rule or a trigger may have silenced the UPDATE. See them with: SELECT * FROM %s WHERE %s;',
                        relation, unfilled
                    );
            END IF;
            CONTINUE WHEN filled = 0;
            INSERT INTO trueup.progress AS p (file, table_name, rows_done, page, pages)
            VALUES (file, relation::text, filled, page, pages)
            ON CONFLICT (file) DO UPDATE
            SET rows_done = p.rows_done + excluded.rows_done, updated_at = clock_timestamp();
        END LOOP;
        page := stretch_end;
        -- Walks in several sessions end in any order; the run says how far all are.
        IF NOT is_part AND rows_left IS NULL THEN
            INSERT INTO trueup.progress AS p (file, table_name, rows_done, page, pages)
            VALUES (file, relation::text, 0, page, pages)
            ON CONFLICT (file) DO UPDATE
            SET page = excluded.page, pages = excluded.pages, updated_at = clock_timestamp();
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
        AND (
            p.prosrc ~* '\minsert\M[^;]*(\m(new|old)\M|\$\d+)\s*\)?\s*\.\s*\*'
            OR (t.tgnewtable IS NOT NULL OR t.tgoldtable IS NOT NULL)
                AND p.prosrc ~* '\minsert\M[^;]*(\mselect\s|,)\s*(\w+\s*\.\s*)?\*\s*(,|from\M)'
        );
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
