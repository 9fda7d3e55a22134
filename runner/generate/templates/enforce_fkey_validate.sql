SET LOCAL lock_timeout = '5s';

ALTER TABLE {{ k.table | n }} VALIDATE CONSTRAINT {{ k.build_name | q }};
