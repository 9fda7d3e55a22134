-- expect: safe
-- depends: 0001_rename
DO $$ BEGIN
    IF EXISTS (SELECT FROM app_user WHERE legacy_flag) THEN
        RAISE EXCEPTION 'legacy_flag is still in use';
    END IF;
END $$;
SET LOCAL lock_timeout = '200ms';
ALTER TABLE app_user DROP COLUMN legacy_flag;
