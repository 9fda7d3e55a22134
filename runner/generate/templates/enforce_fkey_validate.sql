SET LOCAL lock_timeout = '5s';

ALTER TABLE {{ "IF EXISTS " if table != k.table }}{{ table | n }} VALIDATE CONSTRAINT {{ name | q }};
