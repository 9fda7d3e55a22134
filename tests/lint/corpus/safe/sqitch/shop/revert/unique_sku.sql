-- Revert shop:unique_sku from pg
BEGIN;
SET LOCAL lock_timeout = '1s';
ALTER TABLE product DROP CONSTRAINT product_sku_key;
COMMIT;
