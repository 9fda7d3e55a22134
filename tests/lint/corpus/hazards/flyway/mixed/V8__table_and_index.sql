-- expect: concurrently-in-transaction
SET lock_timeout = '1s';
ALTER TABLE orders ADD COLUMN paid_at timestamptz;
CREATE INDEX CONCURRENTLY orders_paid_idx ON orders (paid_at);
