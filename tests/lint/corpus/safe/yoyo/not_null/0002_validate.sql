-- expect: safe
-- depends: 0001_check
ALTER TABLE orders VALIDATE CONSTRAINT orders_customer_filled;
