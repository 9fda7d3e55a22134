-- expect: concurrently-in-transaction
-- depends: 0030_orders
CREATE INDEX CONCURRENTLY orders_paid_idx ON orders (paid_at);
