-- For the rollback: build an index for the new key of request.
--
-- does:    drops request_pkey__again if a broken-off rollback left it; its rollback builds it on the new columns
-- locks:   SHARE UPDATE EXCLUSIVE on request, if the index is there: reads and writes go on
-- cost:    waits for transactions that are older, if the index is there
-- undo:    builds request_pkey__again: reads request twice and waits for transactions that are older
-- transactional: false
-- depends: 0507_contract_request_keys

DROP INDEX CONCURRENTLY IF EXISTS public.request_pkey__again;
