-- Drop the index requests_model_id_idx of the old columns of request.
--
-- does:    drops it
-- locks:   SHARE UPDATE EXCLUSIVE on request: reads and writes go on
-- cost:    waits for transactions that are older
-- undo:    builds requests_model_id_idx: reads request twice and waits for transactions that are older
-- transactional: false
-- depends: 0512_contract_models_pkey_back

DROP INDEX CONCURRENTLY IF EXISTS public.requests_model_id_idx;
