-- Takes the new contract of provider_quotas away again: instant, loses nothing.

SET LOCAL search_path = pg_catalog;
CALL trueup.fix_settings();
SET LOCAL lock_timeout = '200ms';

DROP TRIGGER zz_trueup_sync_update ON public.provider_quotas;
DROP TRIGGER zz_trueup_sync_insert ON public.provider_quotas;
DROP FUNCTION trueup.provider_quota_sync();
DROP VIEW public.provider_quota;

ALTER TABLE public.provider_quotas
    DROP COLUMN id__new,
    DROP COLUMN provider__new;
