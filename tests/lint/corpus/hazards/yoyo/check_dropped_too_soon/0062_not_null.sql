-- expect: set-not-null
-- depends: 0061_validate
SET LOCAL lock_timeout = '200ms';
ALTER TABLE orders
    ALTER COLUMN customer_id SET NOT NULL,
    DROP CONSTRAINT orders_customer_filled;
