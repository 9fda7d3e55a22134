-- For the rollback: build an index for the new key of model.
--
-- does:    drops model_pkey__again if a broken-off rollback left it; its rollback builds it on the new columns
-- locks:   SHARE UPDATE EXCLUSIVE on model, if the index is there: reads and writes go on
-- cost:    waits for transactions that are older, if the index is there
-- undo:    builds model_pkey__again: reads model twice and waits for transactions that are older
-- transactional: false
-- depends: 0510_contract_model_keys

DROP INDEX CONCURRENTLY IF EXISTS public.model_pkey__again;
