-- expect: alter-column-type
SET lock_timeout = '200ms';
ALTER TABLE sessions ALTER COLUMN created_at TYPE timestamptz USING created_at AT TIME ZONE 'UTC';
