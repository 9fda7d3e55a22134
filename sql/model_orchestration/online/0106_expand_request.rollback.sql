-- Takes the new contract of requests away again: instant, loses nothing.

SET LOCAL lock_timeout = '200ms';

DROP TRIGGER zz_trueup_sync_update ON public.request;
DROP TRIGGER zz_trueup_sync_insert ON public.request;
DROP FUNCTION trueup.request_sync();
DROP VIEW public.requests;
DROP MATERIALIZED VIEW trueup.requests_used;
DELETE FROM trueup.odometer WHERE compat_view = 'public.requests';

ALTER TABLE public.request
    DROP COLUMN id,
    DROP COLUMN request_type,
    DROP COLUMN model_id,
    DROP COLUMN provider;

ALTER TABLE public.request RENAME COLUMN id__old TO id;
ALTER TABLE public.request RENAME COLUMN request_type__old TO request_type;
ALTER TABLE public.request RENAME COLUMN model_id__old TO model_id;
ALTER TABLE public.request RENAME COLUMN provider__old TO provider;

ALTER TABLE public.request RENAME TO requests;
