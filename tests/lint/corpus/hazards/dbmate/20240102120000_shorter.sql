-- migrate:up
-- expect: alter-column-type
SET LOCAL lock_timeout = '1s';
ALTER TABLE users ALTER COLUMN nickname SET DATA TYPE varchar(20);

-- migrate:down
ALTER TABLE users ALTER COLUMN nickname SET DATA TYPE varchar(80);
