-- expect: safe
-- depends: 0060_check
ALTER TABLE orders VALIDATE CONSTRAINT orders_customer_filled;
