-- expect: safe
-- transactional: false
-- depends: 0001_audit
CREATE UNIQUE INDEX CONCURRENTLY audit_pkey ON audit (id);
