-- expect: safe
SET lock_timeout = '200ms';
CREATE INDEX CONCURRENTLY orders_state_idx_new ON orders (state, placed_at);
DROP INDEX CONCURRENTLY orders_state_idx;
ALTER INDEX orders_state_idx_new RENAME TO orders_state_idx;
REINDEX INDEX CONCURRENTLY orders_paid_idx;
