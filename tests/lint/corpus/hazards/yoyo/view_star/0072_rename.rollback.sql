SET LOCAL lock_timeout = '200ms';
DROP VIEW users;
ALTER TABLE app_user RENAME TO users;
