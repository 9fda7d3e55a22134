-- Drops the foreign key: instant.

SET LOCAL search_path = pg_catalog;
CALL trueup.fix_settings();
SET LOCAL lock_timeout = '200ms';

CALL trueup.lock_tables('ACCESS EXCLUSIVE', 'public.requests', 'public.models');
ALTER TABLE public.requests DROP CONSTRAINT request_model_id_fkey;
