-- expect: primary-key-nullable
-- depends: 0002_index
SET LOCAL lock_timeout = '200ms';
ALTER TABLE audit ADD CONSTRAINT audit_pkey PRIMARY KEY USING INDEX audit_pkey;
