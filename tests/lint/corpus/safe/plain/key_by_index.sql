-- expect: safe
CREATE UNIQUE INDEX CONCURRENTLY audit_pkey ON audit (id);
SET lock_timeout = '200ms';
ALTER TABLE audit ADD CONSTRAINT audit_pkey PRIMARY KEY USING INDEX audit_pkey;
