-- expect: create-index
SET lock_timeout = '1s';
CREATE UNIQUE INDEX IF NOT EXISTS users_email_key ON users (lower(email)) WHERE deleted_at IS NULL;
