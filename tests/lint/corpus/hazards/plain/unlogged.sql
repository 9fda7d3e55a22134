-- expect: rewrite-storage
SET lock_timeout = '200ms';
ALTER TABLE orders SET UNLOGGED;
