-- expect: create-index
SET lock_timeout = '200ms';
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_indexes WHERE indexname = 'orders_state_idx') THEN
        CREATE INDEX orders_state_idx ON orders (state);
    END IF;
END $$;
