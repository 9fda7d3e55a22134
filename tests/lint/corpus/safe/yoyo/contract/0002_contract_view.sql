-- expect: safe
-- depends: 0001_rename
DO $$
BEGIN
    IF (SELECT calls FROM pg_stat_view_use WHERE view_name = 'users') > 0 THEN
        RAISE EXCEPTION 'users is still in use';
    END IF;
END $$;
SET LOCAL lock_timeout = '200ms';
DROP VIEW users;
