-- Takes NOT NULL away: instant.

SET LOCAL search_path = pg_catalog;
CALL trueup.fix_settings();
SET LOCAL lock_timeout = '200ms';

ALTER TABLE public.provider_quotas
    ALTER COLUMN id__new DROP NOT NULL,
    ALTER COLUMN provider__new DROP NOT NULL,
    ADD CONSTRAINT provider_quotas_id__new_filled CHECK (id__new IS NOT NULL) NOT VALID,
    ADD CONSTRAINT provider_quotas_provider__new_filled CHECK (provider__new IS NOT NULL) NOT VALID,
    ADD CONSTRAINT provider_quotas_in_step CHECK (id__new IS NOT DISTINCT FROM id::uuid AND provider__new IS NOT DISTINCT FROM upper(provider COLLATE "C")) NOT VALID;
