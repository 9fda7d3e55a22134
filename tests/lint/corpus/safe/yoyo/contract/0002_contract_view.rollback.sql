SET LOCAL lock_timeout = '200ms';
CREATE VIEW users AS SELECT id, email FROM app_user;
GRANT SELECT ON users TO shop;
