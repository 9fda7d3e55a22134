-- Deploy shop:add_index to pg
-- expect: concurrently-in-transaction
BEGIN;
CREATE INDEX CONCURRENTLY orders_paid_idx ON orders (paid_at);
COMMIT;
