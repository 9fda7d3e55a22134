-- Takes the new contract of requests away again: instant, loses nothing.

SET LOCAL search_path = pg_catalog;
CALL trueup.fix_settings();
SET LOCAL lock_timeout = '200ms';

DROP TRIGGER zz_trueup_sync_update ON public.requests;
DROP TRIGGER zz_trueup_sync_insert ON public.requests;
DROP FUNCTION trueup.request_sync();
DROP VIEW public.request;

ALTER TABLE public.requests
    DROP COLUMN id__new,
    DROP COLUMN request_type__new,
    DROP COLUMN model_id__new,
    DROP COLUMN provider__new;
