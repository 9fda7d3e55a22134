-- Verify shop:unique_sku on pg
BEGIN;
SELECT 1 / count(*) FROM pg_constraint WHERE conname = 'product_sku_key';
ROLLBACK;
