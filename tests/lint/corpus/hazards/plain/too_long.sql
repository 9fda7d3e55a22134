-- expect: identifier
CREATE INDEX CONCURRENTLY orders_by_customer_and_state_and_region_and_placed_at_and_shipped_at_idx
    ON orders (customer_id, state, region, placed_at, shipped_at);
