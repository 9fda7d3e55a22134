-- Takes NOT NULL away: instant.

SET LOCAL lock_timeout = '200ms';

ALTER TABLE public.model
    ALTER COLUMN id DROP NOT NULL,
    ALTER COLUMN provider DROP NOT NULL,
    ALTER COLUMN capabilities DROP NOT NULL,
    ALTER COLUMN status DROP NOT NULL,
    ADD CONSTRAINT model_id_filled CHECK (id IS NOT NULL) NOT VALID,
    ADD CONSTRAINT model_provider_filled CHECK (provider IS NOT NULL) NOT VALID,
    ADD CONSTRAINT model_capabilities_filled CHECK (capabilities IS NOT NULL) NOT VALID,
    ADD CONSTRAINT model_status_filled CHECK (status IS NOT NULL) NOT VALID;
