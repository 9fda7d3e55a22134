-- migrate:up
-- expect: long-work-under-lock update-whole-table
SET LOCAL lock_timeout = '1s';
ALTER TABLE users ADD COLUMN region text;
UPDATE users SET region = c.region FROM countries AS c WHERE c.code = users.country;

-- migrate:down
ALTER TABLE users DROP COLUMN region;
