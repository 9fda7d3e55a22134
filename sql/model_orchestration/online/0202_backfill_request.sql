-- Fill the new columns of requests for the rows that were there before.
--
-- does:    converts all columns of a row in one UPDATE, in batches of pages, and commits each;
--          fires no trigger of the service; can be stopped and run again at any point
-- locks:   the rows of one batch for some ms, never waits for one for more than 200 ms; at the end
--          SHARE UPDATE EXCLUSIVE, for which it waits 5 s at most: reads and writes go on
-- cost:    writes each row once, and samples the table; the table grows until VACUUM
-- undo:    nothing to undo: the columns go with expand
-- transactional: false
-- depends: 0101_expand_model 0102_expand_request

DO $$
DECLARE
    -- Pages are full. The first pass moves a third of their rows away; the later ones then find
    -- room on the same page, which spares the indexes, and each frees the room for the next. A pass
    -- goes over a whole stretch: when the next one comes, no snapshot needs what it left behind.
    batch_pages constant bigint := 128;
    stretch_pages constant bigint := 10 * batch_pages;
    passes constant integer := 8;
    pass integer := 0;
    pages constant bigint :=
        pg_catalog.pg_relation_size('public.requests')
        / pg_catalog.current_setting('block_size')::bigint;
    -- The service's own triggers are not to see it: they would stamp or log every row.
    has_triggers constant boolean :=
        EXISTS (SELECT FROM trueup.waking_triggers('public.requests'));
    page bigint := 0;
    batch bigint := page;
    tries integer := 0;
    converted bigint;
BEGIN
    CALL trueup.require_settings();
    LOOP
        COMMIT;
        SET TRANSACTION ISOLATION LEVEL READ COMMITTED;
        PERFORM pg_catalog.set_config('search_path', 'pg_catalog', true);
        CALL trueup.fix_settings();
        EXIT WHEN page >= pages;

        -- Giving up rather than a client in a deadlock.
        PERFORM set_config('lock_timeout', '200ms', true);
        -- A crash may lose the last batches, not the record that all of them are done.
        PERFORM set_config('synchronous_commit', 'off', true);
        IF has_triggers THEN
            PERFORM set_config('session_replication_role', 'replica', true);
        END IF;

        BEGIN
            UPDATE public.requests
            SET
                id__new = id::uuid,
                request_type__new = upper(request_type COLLATE "C"),
                model_id__new = model_id::uuid,
                provider__new = upper(provider COLLATE "C")
            WHERE ctid >= format('(%s,0)', batch)::tid
                AND ctid < format('(%s,0)', least(batch + batch_pages, pages))::tid
                AND id__new IS NULL
                AND abs(hashtext(id::text) % 10) BETWEEN CASE pass WHEN 0 THEN 0 ELSE pass + 2 END AND pass + 2;

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
            -- Somebody holds a row of this batch: let go of the others and come again.
            PERFORM pg_sleep(0.05 * (1 + random()));
        ELSE
            batch := batch + batch_pages;
            IF batch >= least(page + stretch_pages, pages) THEN
                pass := (pass + 1) % passes;
                IF pass = 0 THEN
                    page := least(page + stretch_pages, pages);
                END IF;
                batch := page;
            END IF;
            INSERT INTO trueup.progress AS p (file, table_name, rows_done, page, pages)
            VALUES ('0202_backfill_request', 'public.requests', converted, page, pages)
            ON CONFLICT (file) DO UPDATE
            SET
                rows_done = p.rows_done + excluded.rows_done,
                page = excluded.page,
                pages = excluded.pages,
                updated_at = clock_timestamp();
        END IF;
    END LOOP;

    -- Later rows were filled by the trigger: any that is left was silenced.
    IF EXISTS (SELECT FROM public.requests WHERE id__new IS NULL) THEN
        RAISE EXCEPTION 'public.requests: rows are left that the backfill could not convert'
            USING HINT = 'A trigger may have silenced the UPDATE. See them with: '
                || 'SELECT * FROM public.requests WHERE id__new IS NULL;';
    END IF;

    -- A vacuum gives way within a second or two; clients are not kept waiting meanwhile.
    PERFORM set_config('lock_timeout', '5s', true);
    BEGIN
        ANALYZE public.requests (id__new, request_type__new, model_id__new, provider__new);
    EXCEPTION
        WHEN lock_not_available THEN
            RAISE WARNING 'public.requests was not analyzed: another session keeps it'
                USING HINT = 'When it is done: ANALYZE public.requests;';
    END;
END
$$;
