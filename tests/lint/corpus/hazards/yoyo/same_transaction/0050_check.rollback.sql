SET LOCAL lock_timeout = '200ms';
ALTER TABLE orders DROP CONSTRAINT orders_total_check;
