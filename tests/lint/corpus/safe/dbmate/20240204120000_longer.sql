-- migrate:up
-- expect: safe
SET LOCAL lock_timeout = '1s';
ALTER TABLE users ALTER COLUMN nickname TYPE varchar(200);

-- migrate:down
ALTER TABLE users ALTER COLUMN nickname TYPE varchar(80);
