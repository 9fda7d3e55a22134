-- Deploy shop:unique_sku to pg
-- expect: safe
CREATE UNIQUE INDEX CONCURRENTLY product_sku_key ON product (sku);
BEGIN;
SET LOCAL lock_timeout = '1s';
ALTER TABLE product ADD CONSTRAINT product_sku_key UNIQUE USING INDEX product_sku_key;
COMMIT;
