-- Proves the foreign keys of request: reads and writes go on.

SET LOCAL search_path = pg_catalog;
CALL trueup.fix_settings();
SET LOCAL lock_timeout = '5s';

ALTER TABLE public.request
    VALIDATE CONSTRAINT requests_model_id_fkey,
    VALIDATE CONSTRAINT request_model_id_fkey;
