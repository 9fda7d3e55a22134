-- migrate:up
-- expect: safe
SET LOCAL lock_timeout = '1s';
ALTER TABLE users
    ADD COLUMN active boolean NOT NULL DEFAULT true,
    ADD COLUMN settings jsonb NOT NULL DEFAULT '{}'::jsonb,
    ADD COLUMN joined_at timestamptz DEFAULT now();

-- migrate:down
ALTER TABLE users DROP COLUMN joined_at, DROP COLUMN settings, DROP COLUMN active;
