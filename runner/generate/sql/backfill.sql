DO {{ dollar }}
DECLARE
    -- Pages are full. The first pass moves a third of their rows away; the later ones then find
    -- room on the same page, which spares the indexes, and each frees the room for the next. A pass
    -- goes over a whole stretch: when the next one comes, no snapshot needs what it left behind.
    batch_pages constant bigint := 128;
    stretch_pages constant bigint := 10 * batch_pages;
    passes constant integer := 8;
    pass integer := 0;
    pages constant bigint :=
        pg_catalog.pg_relation_size({{ table_literal }})
        / pg_catalog.current_setting('block_size')::bigint;
    -- The service's own triggers are not to see it: they would stamp or log every row.
    has_triggers constant boolean :=
        EXISTS (SELECT FROM trueup.waking_triggers({{ table_literal }}{{ written }}));
    page bigint := 0;
    batch bigint := page;
    tries integer := 0;
    converted bigint;
BEGIN
    CALL trueup.require_settings({{ path }});
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
            UPDATE {{ target }}
            SET
                {{ sets }}
            WHERE ctid >= format('(%s,0)', batch)::tid
                AND ctid < format('(%s,0)', least(batch + batch_pages, pages))::tid
                AND {{ unconverted_rows }}
                AND {{ slice }} BETWEEN CASE pass WHEN 0 THEN 0 ELSE pass + 2 END AND pass + 2;

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
            VALUES ({{ own_id }}, {{ table_literal }}, converted, page, pages)
            ON CONFLICT (file) DO UPDATE
            SET
                rows_done = p.rows_done + excluded.rows_done,
                page = excluded.page,
                pages = excluded.pages,
                updated_at = clock_timestamp();
        END IF;
    END LOOP;

    -- Later rows were filled by the trigger: any that is left was silenced.
    IF EXISTS (SELECT FROM {{ table }} WHERE {{ unconverted }}) THEN
        RAISE EXCEPTION '{{ table_in_literal }}: rows are left that the backfill could not convert'
            USING HINT = 'A trigger may have silenced the UPDATE. See them with: '
                || {{ see_them }};
    END IF;

    -- A vacuum gives way within a second or two; clients are not kept waiting meanwhile.
    PERFORM set_config('lock_timeout', '5s', true);
{% if proven %}
    ALTER TABLE {{ table }}
        {{ proven | join(",\n        ") }};
    COMMIT;
    PERFORM pg_catalog.set_config('search_path', 'pg_catalog', true);
    CALL trueup.fix_settings();
    PERFORM set_config('lock_timeout', '5s', true);
{% endif %}
    BEGIN
        ANALYZE {{ table }} ({{ columns }});
    EXCEPTION
        WHEN lock_not_available THEN
            RAISE WARNING '{{ table_in_literal }} was not analyzed: another session keeps it'
                USING HINT = {{ analyze_later }};
    END;
END
{{ dollar }};
