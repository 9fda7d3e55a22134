-- expect: foreign-key-not-valid
SET lock_timeout = '200ms';
ALTER TABLE orders
    ADD CONSTRAINT orders_customer_fkey FOREIGN KEY (customer_id) REFERENCES customers (id);
