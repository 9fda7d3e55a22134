SET LOCAL lock_timeout = '5s';

ALTER TABLE {{ k.table | n }} VALIDATE CONSTRAINT {{ t.fkey_build_name(k) | q }};
