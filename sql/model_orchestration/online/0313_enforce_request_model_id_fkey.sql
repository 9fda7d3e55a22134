-- Let the new columns of requests reference models.
--
-- does:    adds what requests_model_id_fkey is for the old columns, as NOT VALID
-- locks:   SHARE ROW EXCLUSIVE on requests and models for a few ms; gives up after 200 ms: run it again
-- cost:    no scan
-- undo:    instant
-- depends: 0308_enforce_request_not_null 0303_enforce_model_not_null

CALL trueup.fix_transaction();
SET LOCAL lock_timeout = '200ms';

CALL trueup.lock_tables('SHARE ROW EXCLUSIVE', 'public.requests', 'public.models');
ALTER TABLE public.requests
    ADD CONSTRAINT request_model_id_fkey
    FOREIGN KEY (model_id__new)
    REFERENCES public.models (id__new) NOT VALID;
