-- Undo: Before the old foreign keys go: on the way back they are proven here.
--
-- does:    proves the foreign keys of request: reads and writes go on
-- locks:   SHARE UPDATE EXCLUSIVE on request: reads and writes go on
-- cost:    reads request once
-- undo:    apply 0505_contract_model_fkeys_proof again

SET LOCAL search_path = pg_catalog;
CALL trueup.fix_settings();
SET LOCAL lock_timeout = '5s';

ALTER TABLE public.request
    VALIDATE CONSTRAINT requests_model_id_fkey,
    VALIDATE CONSTRAINT request_model_id_fkey;
