-- expect: key-type-without-references alter-column-type
-- depends: 0001_tables
SET LOCAL lock_timeout = '200ms';
ALTER TABLE customer ALTER COLUMN id TYPE uuid USING id::uuid;
