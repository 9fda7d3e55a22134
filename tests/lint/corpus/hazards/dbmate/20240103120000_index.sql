-- migrate:up
-- expect: create-index
SET LOCAL lock_timeout = '1s';
CREATE INDEX orders_customer_idx ON orders (customer_id);

-- migrate:down
DROP INDEX orders_customer_idx;
