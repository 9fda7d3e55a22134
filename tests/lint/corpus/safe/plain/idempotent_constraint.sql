-- expect: safe
SET lock_timeout = '200ms';
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_constraint WHERE conname = 'orders_total_check') THEN
        ALTER TABLE orders ADD CONSTRAINT orders_total_check CHECK (total >= 0) NOT VALID;
    END IF;
END $$;
ALTER TABLE orders VALIDATE CONSTRAINT orders_total_check;
