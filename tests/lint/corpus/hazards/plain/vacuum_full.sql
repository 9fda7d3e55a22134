-- expect: vacuum-full
SET lock_timeout = '200ms';
VACUUM (FULL, ANALYZE) orders;
