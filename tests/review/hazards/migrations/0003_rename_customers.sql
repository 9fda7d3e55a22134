-- The house standard wants singular names.
-- depends: 0002_add_order_channel

ALTER TABLE customers RENAME TO customer;
