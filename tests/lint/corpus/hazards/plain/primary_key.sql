-- expect: add-primary-key
SET lock_timeout = '200ms';
ALTER TABLE audit ADD CONSTRAINT audit_pkey PRIMARY KEY (id);
