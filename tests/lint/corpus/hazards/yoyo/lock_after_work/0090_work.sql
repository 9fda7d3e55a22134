-- expect: lock-after-long-work drop-constraint
-- depends: 0089_orders
INSERT INTO order_archive SELECT * FROM orders WHERE placed_at < '2020-01-01';
SET LOCAL lock_timeout = '200ms';
ALTER TABLE orders DROP CONSTRAINT orders_region_check;
