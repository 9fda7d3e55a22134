-- Drop the foreign keys of the old columns: requests_model_id_fkey.
--
-- does:    drops them; the foreign keys of the new columns stay
-- locks:   ACCESS EXCLUSIVE on request, model for a few ms; gives up after 200 ms: run it again
-- cost:    none
-- undo:    adds them as NOT VALID: instant
-- depends: 0505_contract_model_fkeys_proof

CALL trueup.fix_transaction();
SET LOCAL lock_timeout = '200ms';

CALL trueup.lock_tables('ACCESS EXCLUSIVE', 'public.request', 'public.model');
ALTER TABLE public.request DROP CONSTRAINT requests_model_id_fkey;
