-- Drops the CHECKs: instant.

SET LOCAL lock_timeout = '200ms';

ALTER TABLE public.request
    DROP CONSTRAINT request_type_check,
    DROP CONSTRAINT request_provider_check,
    DROP CONSTRAINT request_id_filled,
    DROP CONSTRAINT request_request_type_filled,
    DROP CONSTRAINT request_model_id_filled,
    DROP CONSTRAINT request_provider_filled;
