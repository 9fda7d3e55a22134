-- Drops the CHECKs: instant.

SET LOCAL lock_timeout = '200ms';

ALTER TABLE public.provider_quota
    DROP CONSTRAINT provider_quota_provider_check,
    DROP CONSTRAINT provider_quota_id_filled,
    DROP CONSTRAINT provider_quota_provider_filled;
