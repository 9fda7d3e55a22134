-- Prove request_model_id_fkey for every row that was there before.
--
-- does:    validates the foreign key
-- locks:   SHARE UPDATE EXCLUSIVE on requests, ROW SHARE on models: reads and writes go on
-- cost:    reads requests once
-- undo:    nothing to undo: the foreign key goes with the file that made it
-- depends: 0313_enforce_request_model_id_fkey

CALL trueup.fix_transaction();
SET LOCAL lock_timeout = '5s';

ALTER TABLE public.requests VALIDATE CONSTRAINT request_model_id_fkey;
