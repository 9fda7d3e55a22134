-- expect: drop-not-null
SET lock_timeout = '200ms';
ALTER TABLE users ALTER email DROP NOT NULL;
