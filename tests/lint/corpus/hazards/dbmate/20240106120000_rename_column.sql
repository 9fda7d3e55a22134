-- migrate:up
-- expect: rename-column
SET LOCAL lock_timeout = '1s';
ALTER TABLE users RENAME mail TO email;

-- migrate:down
ALTER TABLE users RENAME email TO mail;
