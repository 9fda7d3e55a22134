SET LOCAL lock_timeout = '200ms';
ALTER TABLE orders ADD CONSTRAINT orders_region_check CHECK (region <> '') NOT VALID;
