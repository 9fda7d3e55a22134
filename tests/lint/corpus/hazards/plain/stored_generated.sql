-- expect: add-column-generated
SET lock_timeout = '200ms';
ALTER TABLE article
    ADD COLUMN search tsvector GENERATED ALWAYS AS (to_tsvector('english', coalesce(body, ''))) STORED;
