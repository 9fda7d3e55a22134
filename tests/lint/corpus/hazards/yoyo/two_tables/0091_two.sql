-- expect: several-tables-locked
-- depends: 0090_tables
SET LOCAL lock_timeout = '200ms';
ALTER TABLE orders ADD COLUMN note text;
ALTER TABLE customers ADD COLUMN note text;
