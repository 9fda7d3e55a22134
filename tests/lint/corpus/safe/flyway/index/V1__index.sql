-- expect: safe
CREATE INDEX CONCURRENTLY orders_paid_idx ON orders (paid_at);
