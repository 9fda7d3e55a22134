-- For the rollback: build an index for the old key of model.
--
-- does:    drops models_pkey__back if a broken-off rollback left it; its rollback builds it on the old columns
-- locks:   SHARE UPDATE EXCLUSIVE on model, if the index is there: reads and writes go on
-- cost:    waits for transactions that are older, if the index is there
-- undo:    builds models_pkey__back: reads model twice and waits for transactions that are older
-- transactional: false
-- depends: 0511_contract_model_pkey_again

DROP INDEX CONCURRENTLY IF EXISTS public.models_pkey__back;
