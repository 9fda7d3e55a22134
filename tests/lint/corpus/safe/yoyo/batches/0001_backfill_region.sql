-- expect: safe
-- transactional: false
DO $$
DECLARE
    page bigint := 0;
    pages bigint := pg_relation_size('users') / current_setting('block_size')::bigint;
BEGIN
    WHILE page <= pages LOOP
        UPDATE users SET region = upper(region)
        WHERE ctid >= format('(%s,0)', page)::tid AND ctid < format('(%s,0)', page + 100)::tid
            AND region <> upper(region);
        COMMIT;
        page := page + 100;
    END LOOP;
END $$;
