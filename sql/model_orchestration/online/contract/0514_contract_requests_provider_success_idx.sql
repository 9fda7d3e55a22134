-- Drop the index requests_provider_success_idx of the old columns of request.
--
-- does:    drops it
-- locks:   SHARE UPDATE EXCLUSIVE on request: reads and writes go on
-- cost:    waits for transactions that are older
-- undo:    builds requests_provider_success_idx: reads request twice and waits for transactions that are older
-- transactional: false
-- depends: 0513_contract_requests_model_id_idx

DROP INDEX CONCURRENTLY IF EXISTS public.requests_provider_success_idx;
