-- Fill the new columns of provider_quotas for the rows that were there before.
--
-- does:    converts all columns of a row in one UPDATE, in batches of pages, and commits each;
--          passes over rows that clients hold and comes back to them; fires no trigger of the
--          service; can be stopped and run again at any point
-- locks:   the rows of one batch for some ms, waits for none; at the end SHARE UPDATE EXCLUSIVE,
--          for which it waits 5 s at most: reads and writes go on
-- cost:    writes each row once, and samples the table; the table grows until VACUUM
-- undo:    nothing to undo: the columns go with expand
-- transactional: false
-- depends: 0103_expand_provider_quota

DO $$
#variable_conflict use_column
DECLARE
    -- Pages are full. The first pass moves a third of their rows away; the later ones then find
    -- room on the same page, which spares the indexes, and each frees the room for the next. A pass
    -- goes over a whole stretch: when the next one comes, no snapshot needs what it left behind.
    batch_pages constant bigint := 128;
    stretch_pages constant bigint := 10 * batch_pages;
    passes constant integer := 8;
    pass integer := 0;
    pages constant bigint :=
        pg_catalog.pg_relation_size('public.provider_quotas')
        / pg_catalog.current_setting('block_size')::bigint;
    has_triggers boolean;
    loud_triggers text;
    page bigint := 0;
    page_end bigint := pages;
    batch bigint := page;
    tries integer := 0;
    converted bigint;
    batch_from tid;
    batch_to tid;
    first_slice integer;
    last_slice integer;
    free_rows tid[];
    -- What the walk left; unknown before it is over.
    rows_left bigint;
    fewest_left bigint;
    give_up timestamptz;
    holders text;
BEGIN
    CALL trueup.require_settings();
    LOOP
        COMMIT;
        SET TRANSACTION ISOLATION LEVEL READ COMMITTED;
        PERFORM pg_catalog.set_config('search_path', 'pg_catalog', true);
        CALL trueup.fix_settings();

        IF page >= page_end THEN
            -- Later rows were filled by the trigger, so clients held what is left: come back to it.
            SELECT (min(ctid)::text::point)[0], (max(ctid)::text::point)[0] + 1, count(*)
            INTO page, page_end, rows_left
            FROM public.provider_quotas
            WHERE id__new IS NULL;

            EXIT WHEN rows_left = 0;
            IF fewest_left IS NULL OR rows_left < fewest_left THEN
                fewest_left := rows_left;
                give_up := clock_timestamp() + interval '10 s';
            ELSIF clock_timestamp() > give_up THEN
                SELECT string_agg(DISTINCT coalesce('process ' || pid, 'a prepared transaction'), ', ')
                INTO holders
                FROM pg_locks
                WHERE transactionid IN (SELECT xmax FROM public.provider_quotas WHERE id__new IS NULL);
                RAISE EXCEPTION 'public.provider_quotas: all rows are converted but %, held by %',
                    rows_left, coalesce(holders, 'other transactions')
                    USING ERRCODE = 'lock_not_available';
            END IF;
            PERFORM pg_sleep(0.1 * (1 + random()));
            batch := page;
        END IF;

        -- Giving up rather than a client in a deadlock.
        PERFORM set_config('lock_timeout', '200ms', true);
        -- A crash may lose the last batches, not the record that all of them are done.
        PERFORM set_config('synchronous_commit', 'off', true);
        -- The service's own triggers are not to see it: they would stamp or log every row.
        SELECT string_agg(name, ', ') FILTER (WHERE enabled <> 'O'), count(*) > 0
        INTO loud_triggers, has_triggers
        FROM trueup.woken_triggers('public.provider_quotas');
        IF loud_triggers IS NOT NULL THEN
            RAISE EXCEPTION 'public.provider_quotas: the backfill would fire %, which is enabled as ALWAYS or REPLICA',
                loud_triggers
                USING HINT = 'Disable it until the backfill is done.';
        ELSIF has_triggers THEN
            PERFORM set_config('session_replication_role', 'replica', true);
        END IF;
        batch_from := format('(%s,0)', batch);
        batch_to := format('(%s,0)', least(batch + batch_pages, page_end));
        first_slice := CASE WHEN pass = 0 OR rows_left > 0 THEN 0 ELSE pass + 2 END;
        last_slice := CASE WHEN rows_left > 0 THEN 9 ELSE pass + 2 END;

        BEGIN
            -- It waits for no client: a row that one holds is passed over.
            free_rows := ARRAY(
                SELECT ctid
                FROM public.provider_quotas
                WHERE ctid >= batch_from
                    AND ctid < batch_to
                    AND id__new IS NULL
                    AND abs(hashtext(id::text) % 10) BETWEEN first_slice AND last_slice
                FOR NO KEY UPDATE SKIP LOCKED
            );
            UPDATE public.provider_quotas
            SET
                id__new = id::uuid,
                provider__new = upper(provider COLLATE "C")
            WHERE ctid = ANY (free_rows);

            GET DIAGNOSTICS converted = ROW_COUNT;
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
        ELSIF converted < cardinality(free_rows) THEN
            RAISE EXCEPTION 'public.provider_quotas: rows are left that the backfill could not convert'
                USING HINT = 'A trigger may have silenced the UPDATE. See them with: '
                    || 'SELECT * FROM public.provider_quotas WHERE id__new IS NULL;';
        ELSE
            batch := batch + batch_pages;
            IF batch >= least(page + stretch_pages, page_end) THEN
                pass := (pass + 1) % passes;
                IF pass = 0 OR rows_left > 0 THEN
                    page := least(page + stretch_pages, page_end);
                END IF;
                batch := page;
            END IF;
            IF converted > 0 OR rows_left IS NULL THEN
                INSERT INTO trueup.progress AS p (file, table_name, rows_done, page, pages)
                VALUES (
                    '0203_backfill_provider_quota', 'public.provider_quotas', converted,
                    CASE WHEN rows_left > 0 THEN pages ELSE page END, pages
                )
                ON CONFLICT (file) DO UPDATE
                SET
                    rows_done = p.rows_done + excluded.rows_done,
                    page = excluded.page,
                    pages = excluded.pages,
                    updated_at = clock_timestamp();
            END IF;
        END IF;
    END LOOP;

    -- A vacuum gives way within a second or two; clients are not kept waiting meanwhile.
    PERFORM set_config('lock_timeout', '5s', true);
    BEGIN
        ANALYZE public.provider_quotas (id__new, provider__new);
    EXCEPTION
        WHEN lock_not_available THEN
            RAISE WARNING 'public.provider_quotas was not analyzed: another session keeps it'
                USING HINT = 'When it is done: ANALYZE public.provider_quotas;';
    END;
END
$$;
