-- expect: drop-default
SET lock_timeout = '200ms';
ALTER TABLE users ALTER COLUMN state DROP DEFAULT;
