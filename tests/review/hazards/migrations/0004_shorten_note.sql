-- Notes were never longer than this.
-- depends: 0003_rename_customers

ALTER TABLE orders ALTER COLUMN note TYPE varchar(100) USING left(note, 100);
