-- expect: safe
-- depends: 0059_orders
SET LOCAL lock_timeout = '200ms';
ALTER TABLE orders ADD CONSTRAINT orders_customer_filled CHECK (customer_id IS NOT NULL) NOT VALID;
