-- Takes NOT NULL away: instant.

SET LOCAL lock_timeout = '200ms';

ALTER TABLE public.request
    ALTER COLUMN id DROP NOT NULL,
    ALTER COLUMN request_type DROP NOT NULL,
    ALTER COLUMN model_id DROP NOT NULL,
    ALTER COLUMN provider DROP NOT NULL,
    ADD CONSTRAINT request_id_filled CHECK (id IS NOT NULL) NOT VALID,
    ADD CONSTRAINT request_request_type_filled CHECK (request_type IS NOT NULL) NOT VALID,
    ADD CONSTRAINT request_model_id_filled CHECK (model_id IS NOT NULL) NOT VALID,
    ADD CONSTRAINT request_provider_filled CHECK (provider IS NOT NULL) NOT VALID;
