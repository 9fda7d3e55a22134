-- expect: disable-trigger
SET lock_timeout = '200ms';
ALTER TABLE orders DISABLE TRIGGER ALL;
