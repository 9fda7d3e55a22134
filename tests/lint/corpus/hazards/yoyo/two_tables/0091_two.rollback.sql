SET LOCAL lock_timeout = '200ms';
ALTER TABLE customers DROP COLUMN note;
ALTER TABLE orders DROP COLUMN note;
