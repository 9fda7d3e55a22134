-- expect: set-not-null
SET lock_timeout = '200ms';
ALTER TABLE orders ALTER COLUMN customer_id SET NOT NULL;
