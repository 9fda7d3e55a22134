-- expect: hidden-ddl
SET lock_timeout = '200ms';
DO $$
DECLARE
    item record;
BEGIN
    FOR item IN SELECT tablename FROM pg_tables WHERE schemaname = 'public' LOOP
        EXECUTE format('ALTER TABLE %I ADD COLUMN deleted_at timestamptz', item.tablename);
    END LOOP;
END $$;
