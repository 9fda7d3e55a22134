-- Drops the CHECKs: instant.

SET LOCAL lock_timeout = '200ms';

ALTER TABLE public.model
    DROP CONSTRAINT model_provider_check,
    DROP CONSTRAINT model_capabilities_check,
    DROP CONSTRAINT model_status_check,
    DROP CONSTRAINT model_id_filled,
    DROP CONSTRAINT model_provider_filled,
    DROP CONSTRAINT model_capabilities_filled,
    DROP CONSTRAINT model_status_filled;
