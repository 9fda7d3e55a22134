-- expect: safe
-- depends:
SET LOCAL lock_timeout = '200ms';
ALTER TABLE users RENAME TO app_user;
CREATE VIEW users AS SELECT id, email FROM app_user;
GRANT SELECT ON users TO shop;
