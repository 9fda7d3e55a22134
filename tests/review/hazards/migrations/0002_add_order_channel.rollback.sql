DROP INDEX orders_channel;
ALTER TABLE orders DROP COLUMN channel;
