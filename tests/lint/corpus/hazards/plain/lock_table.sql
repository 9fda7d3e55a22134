-- expect: lock-table
BEGIN;
LOCK orders;
INSERT INTO kinds (name) VALUES ('a');
COMMIT;
