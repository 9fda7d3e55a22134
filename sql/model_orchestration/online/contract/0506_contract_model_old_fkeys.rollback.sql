-- Holds the old columns of request to their foreign keys again: instant.

SET LOCAL search_path = pg_catalog;
CALL trueup.fix_settings();
SET LOCAL lock_timeout = '200ms';

CALL trueup.lock_tables('SHARE ROW EXCLUSIVE', 'public.request', 'public.model');

ALTER TABLE public.request
    ADD CONSTRAINT requests_model_id_fkey
    FOREIGN KEY (model_id__old)
    REFERENCES public.model (id__old) NOT VALID;
