-- Rollback: prove the foreign keys of both contracts.
--
-- does:    proves the foreign keys of request: reads and writes go on
-- locks:   SHARE UPDATE EXCLUSIVE on request: reads and writes go on
-- cost:    reads request once

CALL trueup.fix_transaction();
SET LOCAL lock_timeout = '5s';

ALTER TABLE public.request
    VALIDATE CONSTRAINT requests_model_id_fkey,
    VALIDATE CONSTRAINT request_model_id_fkey;
