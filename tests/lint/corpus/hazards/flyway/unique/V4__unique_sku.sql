-- expect: add-primary-key
SET lock_timeout = '200ms';
ALTER TABLE product ADD CONSTRAINT product_sku_key UNIQUE (sku);
