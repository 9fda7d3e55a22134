-- Where an order came from.
-- depends: 0001_create_shop

ALTER TABLE orders ADD COLUMN channel varchar(20);
UPDATE orders SET channel = 'web';
ALTER TABLE orders ALTER COLUMN channel SET NOT NULL;
CREATE INDEX orders_channel ON orders (channel);
