-- expect: set-local-outside-transaction yoyo-format
-- transactional: false
SET LOCAL statement_timeout = 0;
CREATE INDEX CONCURRENTLY orders_note_idx ON orders (note);
