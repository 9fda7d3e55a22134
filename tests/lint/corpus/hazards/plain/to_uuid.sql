-- expect: alter-column-type
SET lock_timeout = '200ms';
ALTER TABLE sessions ALTER COLUMN token TYPE uuid USING token::uuid;
