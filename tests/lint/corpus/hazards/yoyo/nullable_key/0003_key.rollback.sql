SET LOCAL lock_timeout = '200ms';
ALTER TABLE audit DROP CONSTRAINT audit_pkey;
