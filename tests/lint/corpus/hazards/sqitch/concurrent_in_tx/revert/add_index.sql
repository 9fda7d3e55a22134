-- Revert shop:add_index from pg
DROP INDEX CONCURRENTLY IF EXISTS orders_paid_idx;
