-- Takes the new contract of models away again: instant, loses nothing.

SET LOCAL search_path = pg_catalog;
CALL trueup.fix_settings();
SET LOCAL lock_timeout = '200ms';

DROP TRIGGER zz_trueup_sync_update ON public.models;
DROP TRIGGER zz_trueup_sync_insert ON public.models;
DROP FUNCTION trueup.model_sync();
DROP VIEW public.model;

DROP VIEW trueup.model_sides;

ALTER TABLE public.models
    DROP COLUMN id__new,
    DROP COLUMN provider__new,
    DROP COLUMN capabilities__new,
    DROP COLUMN status__new;
