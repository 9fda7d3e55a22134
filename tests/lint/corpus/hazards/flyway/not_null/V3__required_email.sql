-- expect: add-column-not-null
SET lock_timeout = '200ms';
ALTER TABLE users ADD COLUMN email varchar(255) NOT NULL;
