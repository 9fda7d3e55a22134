-- migrate:up
-- expect: concurrently-in-transaction
CREATE INDEX CONCURRENTLY orders_paid_idx ON orders (paid_at);

-- migrate:down transaction:false
DROP INDEX CONCURRENTLY orders_paid_idx;
