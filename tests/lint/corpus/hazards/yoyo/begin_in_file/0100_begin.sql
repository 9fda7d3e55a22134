-- expect: transaction-control
-- depends: 0099_orders
BEGIN;
SET LOCAL lock_timeout = '200ms';
ALTER TABLE orders ADD COLUMN note text;
COMMIT;
