-- expect: row-security
SET lock_timeout = '200ms';
ALTER TABLE orders ENABLE ROW LEVEL SECURITY;
