SET LOCAL lock_timeout = '200ms';
ALTER TABLE customer ALTER COLUMN id TYPE varchar(36) USING id::text;
