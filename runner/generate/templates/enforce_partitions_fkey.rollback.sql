SET LOCAL lock_timeout = '200ms';

ALTER TABLE {{ k.table | n }} DROP CONSTRAINT {{ k.build_name | q }};
