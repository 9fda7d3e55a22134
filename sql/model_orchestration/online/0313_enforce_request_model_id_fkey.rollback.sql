-- Drops the foreign key: instant.

SET LOCAL lock_timeout = '200ms';

ALTER TABLE public.requests DROP CONSTRAINT request_model_id_fkey;
