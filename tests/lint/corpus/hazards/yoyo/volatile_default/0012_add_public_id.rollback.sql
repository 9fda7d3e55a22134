SET LOCAL lock_timeout = '200ms';
ALTER TABLE accounts DROP COLUMN public_id;
