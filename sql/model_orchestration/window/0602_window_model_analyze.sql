-- Prove request_model_id_fkey, and tell the planner about the new columns.
--
-- does:    validates the foreign keys; samples the new columns
-- locks:   SHARE UPDATE EXCLUSIVE on request, model: reads and writes go on
-- cost:    reads a sample; reads each table once for each of its foreign keys
-- undo:    nothing to undo
-- depends: 0601_window_model_and_request

CALL trueup.fix_transaction();

SET LOCAL lock_timeout = '5s';
ALTER TABLE public.request VALIDATE CONSTRAINT request_model_id_fkey;

ANALYZE public.model (id, provider, capabilities, status);
ANALYZE public.request (id, request_type, model_id, provider);
