-- Drops the foreign key: instant.

SET LOCAL lock_timeout = '200ms';

ALTER TABLE public.request DROP CONSTRAINT request_model_id_fkey;
