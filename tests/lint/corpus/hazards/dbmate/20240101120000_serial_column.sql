-- migrate:up
-- expect: add-column-serial
SET LOCAL lock_timeout = '1s';
ALTER TABLE invoices ADD COLUMN number bigserial;

-- migrate:down
ALTER TABLE invoices DROP COLUMN number;
