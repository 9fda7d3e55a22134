-- expect: safe
-- depends: 0002_validate
SET LOCAL lock_timeout = '200ms';
ALTER TABLE orders ALTER COLUMN customer_id SET NOT NULL;
ALTER TABLE orders DROP CONSTRAINT orders_customer_filled;
