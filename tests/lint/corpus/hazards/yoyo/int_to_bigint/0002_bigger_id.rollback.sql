SET LOCAL lock_timeout = '200ms';
ALTER TABLE orders ALTER COLUMN id TYPE integer;
