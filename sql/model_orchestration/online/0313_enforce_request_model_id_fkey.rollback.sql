-- Undo: Let the new columns of requests reference models.
--
-- does:    drops the foreign key: instant
-- locks:   ACCESS EXCLUSIVE on requests and models for a few ms; gives up after 200 ms and can be
--          run again
-- cost:    no rewrite, no scan
-- undo:    apply 0313_enforce_request_model_id_fkey again: no scan

SET LOCAL search_path = pg_catalog;
CALL trueup.fix_settings();
SET LOCAL lock_timeout = '200ms';

CALL trueup.lock_tables('ACCESS EXCLUSIVE', 'public.requests', 'public.models');
ALTER TABLE public.requests DROP CONSTRAINT request_model_id_fkey;
