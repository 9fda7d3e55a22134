SET LOCAL lock_timeout = '200ms';

ALTER TABLE {{ k.table | n }} DROP CONSTRAINT {{ t.fkey_build_name(k) | q }};
