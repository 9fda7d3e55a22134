-- Undo: Let the new columns of requests reference models.
--
-- does:    drops the foreign key: instant
-- locks:   ACCESS EXCLUSIVE on requests and models for a few ms; gives up after 200 ms: run it again
-- cost:    no rewrite, no scan

CALL trueup.fix_transaction();
SET LOCAL lock_timeout = '200ms';

CALL trueup.lock_tables('ACCESS EXCLUSIVE', 'public.requests', 'public.models');
ALTER TABLE public.requests DROP CONSTRAINT request_model_id_fkey;
