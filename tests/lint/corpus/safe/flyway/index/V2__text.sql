-- expect: safe
SET lock_timeout = '1s';
ALTER TABLE ${schema}.users ALTER COLUMN bio TYPE text;
