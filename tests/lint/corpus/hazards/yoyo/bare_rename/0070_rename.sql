-- expect: rename-table
-- depends: 0069_users
SET LOCAL lock_timeout = '200ms';
ALTER TABLE users RENAME TO app_user;
