-- migrate:up
-- expect: drop-column
SET LOCAL lock_timeout = '1s';
ALTER TABLE users DROP COLUMN nickname;

-- migrate:down
ALTER TABLE users ADD COLUMN nickname text;
