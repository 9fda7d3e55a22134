-- expect: check-not-valid
SET lock_timeout = '200ms';
ALTER TABLE orders ADD COLUMN state text NOT NULL DEFAULT 'NEW' CHECK (state IN ('NEW', 'PAID'));
