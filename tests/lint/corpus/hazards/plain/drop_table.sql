-- expect: drop-table
SET lock_timeout = '200ms';
DROP TABLE IF EXISTS legacy_orders;
