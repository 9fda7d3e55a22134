-- expect: view-star
-- depends: 0071_users
SET LOCAL lock_timeout = '200ms';
ALTER TABLE users RENAME TO app_user;
CREATE VIEW users AS SELECT * FROM app_user;
GRANT SELECT, INSERT, UPDATE, DELETE ON users TO shop;
