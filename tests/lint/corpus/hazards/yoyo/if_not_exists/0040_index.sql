-- expect: concurrently-if-not-exists
-- transactional: false
CREATE INDEX CONCURRENTLY IF NOT EXISTS orders_paid_idx ON orders (paid_at);
