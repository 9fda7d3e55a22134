-- Undo: Drop the foreign keys of the old columns: requests_model_id_fkey.
--
-- does:    holds the old columns of request to their foreign keys again: instant
-- locks:   SHARE ROW EXCLUSIVE on request, model for a few ms; gives up after 200 ms: run it again
-- cost:    no rewrite, no scan

CALL trueup.fix_transaction();
SET LOCAL lock_timeout = '200ms';

CALL trueup.lock_tables('SHARE ROW EXCLUSIVE', 'public.request', 'public.model');

ALTER TABLE public.request
    ADD CONSTRAINT requests_model_id_fkey
    FOREIGN KEY (model_id__old)
    REFERENCES public.model (id__old) NOT VALID;
