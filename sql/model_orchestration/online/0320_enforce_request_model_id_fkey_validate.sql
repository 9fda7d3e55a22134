-- Prove request_model_id_fkey for every row that was there before.
--
-- does:    validates the foreign key
-- locks:   SHARE UPDATE EXCLUSIVE on request, ROW SHARE on model: reads and writes go on
-- cost:    reads request once
-- undo:    nothing to undo: the foreign key goes with the file that made it
-- depends: 0319_enforce_request_model_id_fkey

SET LOCAL lock_timeout = '5s';

ALTER TABLE public.request VALIDATE CONSTRAINT request_model_id_fkey;
