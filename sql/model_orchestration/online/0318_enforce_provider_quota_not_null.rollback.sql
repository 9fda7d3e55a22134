-- Takes NOT NULL away: instant.

SET LOCAL lock_timeout = '200ms';

ALTER TABLE public.provider_quota
    ALTER COLUMN id DROP NOT NULL,
    ALTER COLUMN provider DROP NOT NULL,
    ADD CONSTRAINT provider_quota_id_filled CHECK (id IS NOT NULL) NOT VALID,
    ADD CONSTRAINT provider_quota_provider_filled CHECK (provider IS NOT NULL) NOT VALID;
