-- expect: alter-column-type
CREATE TYPE order_state_new AS ENUM ('new', 'paid');
SET lock_timeout = '200ms';
ALTER TABLE orders ALTER COLUMN state TYPE order_state_new USING state::text::order_state_new;
