SET LOCAL lock_timeout = '200ms';
ALTER TABLE app_user RENAME TO users;
