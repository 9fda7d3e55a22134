-- Takes the new contract of provider_quotas away again: instant, loses nothing.

SET LOCAL lock_timeout = '200ms';

DROP TRIGGER zz_trueup_sync_update ON public.provider_quota;
DROP TRIGGER zz_trueup_sync_insert ON public.provider_quota;
DROP FUNCTION trueup.provider_quota_sync();
DROP VIEW public.provider_quotas;
DROP MATERIALIZED VIEW trueup.provider_quotas_used;
DELETE FROM trueup.odometer WHERE compat_view = 'public.provider_quotas';

ALTER TABLE public.provider_quota
    DROP COLUMN id,
    DROP COLUMN provider;

ALTER TABLE public.provider_quota RENAME COLUMN id__old TO id;
ALTER TABLE public.provider_quota RENAME COLUMN provider__old TO provider;

ALTER TABLE public.provider_quota RENAME TO provider_quotas;
