-- migrate:up
-- expect: enum-change enum-value-used
ALTER TYPE order_state ADD VALUE 'refunded';
UPDATE orders SET state = 'refunded' WHERE id = 4711;

-- migrate:down
UPDATE orders SET state = 'paid' WHERE id = 4711;
