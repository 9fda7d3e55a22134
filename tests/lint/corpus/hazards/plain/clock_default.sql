-- expect: add-column-volatile-default
SET lock_timeout = '200ms';
ALTER TABLE events
    ADD COLUMN source text,
    ADD COLUMN received_at timestamptz NOT NULL DEFAULT clock_timestamp();
