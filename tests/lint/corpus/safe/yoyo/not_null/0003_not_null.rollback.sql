SET LOCAL lock_timeout = '200ms';
ALTER TABLE orders
    ALTER COLUMN customer_id DROP NOT NULL,
    ADD CONSTRAINT orders_customer_filled CHECK (customer_id IS NOT NULL) NOT VALID;
