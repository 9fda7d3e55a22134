-- migrate:up
-- expect: check-not-valid
SET LOCAL lock_timeout = '1s';
ALTER TABLE orders ADD CONSTRAINT orders_total_check CHECK (total >= 0);

-- migrate:down
ALTER TABLE orders DROP CONSTRAINT orders_total_check;
