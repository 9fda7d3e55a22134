/* expect: yoyo-format concurrently-in-transaction rollback-missing */
-- transactional: false
CREATE INDEX CONCURRENTLY visit_at_idx ON visit (at);
