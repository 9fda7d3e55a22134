-- Revert shop:drop_old_index from pg
CREATE INDEX CONCURRENTLY orders_old_idx ON orders (placed_at);
