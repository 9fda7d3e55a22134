-- Deploy shop:drop_old_index to pg
-- expect: drop-index
BEGIN;
SET LOCAL lock_timeout = '1s';
DROP INDEX orders_old_idx;
COMMIT;
