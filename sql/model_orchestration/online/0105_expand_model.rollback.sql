-- Takes the new contract of models away again: instant, loses nothing.

SET LOCAL lock_timeout = '200ms';

DROP TRIGGER zz_trueup_sync_update ON public.model;
DROP TRIGGER zz_trueup_sync_insert ON public.model;
DROP FUNCTION trueup.model_sync();
DROP VIEW public.models;
DROP MATERIALIZED VIEW trueup.models_used;
DELETE FROM trueup.odometer WHERE compat_view = 'public.models';

ALTER TABLE public.model
    DROP COLUMN id,
    DROP COLUMN provider,
    DROP COLUMN capabilities,
    DROP COLUMN status;

ALTER TABLE public.model RENAME COLUMN id__old TO id;
ALTER TABLE public.model RENAME COLUMN provider__old TO provider;
ALTER TABLE public.model RENAME COLUMN capabilities__old TO capabilities;
ALTER TABLE public.model RENAME COLUMN status__old TO status;
ALTER TABLE public.model ALTER COLUMN status SET DEFAULT 'active';

ALTER TABLE public.model RENAME TO models;
