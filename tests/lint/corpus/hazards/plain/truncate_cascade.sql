-- expect: truncate drop-cascade
SET lock_timeout = '200ms';
TRUNCATE TABLE orders RESTART IDENTITY CASCADE;
