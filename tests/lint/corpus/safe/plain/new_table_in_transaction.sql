-- expect: safe
BEGIN;
CREATE TABLE note (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    body text NOT NULL,
    written_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX note_written_at_idx ON note (written_at);
GRANT SELECT, INSERT ON note TO shop;
COMMENT ON TABLE note IS 'What a customer told us; DROP TABLE is not for it';
COMMIT;
