-- migrate:up transaction:false
-- expect: safe
CREATE INDEX CONCURRENTLY orders_paid_idx ON orders (paid_at) WHERE paid_at IS NOT NULL;

-- migrate:down transaction:false
DROP INDEX CONCURRENTLY IF EXISTS orders_paid_idx;
