-- expect: alter-column-type
-- depends: 0001_orders
SET LOCAL lock_timeout = '200ms';
ALTER TABLE orders ALTER COLUMN id TYPE bigint;
