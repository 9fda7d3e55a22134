-- expect: compat-view-grants
-- depends: 0070_users
SET LOCAL lock_timeout = '200ms';
ALTER TABLE users RENAME TO app_user;
CREATE VIEW users AS SELECT id, email, created_at FROM app_user;
