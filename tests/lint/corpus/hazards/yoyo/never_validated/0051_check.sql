-- expect: not-valid-never-validated
-- depends: 0049_orders
SET LOCAL lock_timeout = '200ms';
ALTER TABLE orders ADD CONSTRAINT orders_total_check CHECK (total >= 0) NOT VALID;
