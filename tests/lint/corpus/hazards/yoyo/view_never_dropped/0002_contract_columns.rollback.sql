SET LOCAL lock_timeout = '200ms';
ALTER TABLE app_user ADD COLUMN legacy_flag boolean;
