-- For the rollback: build an index for the old key of request.
--
-- does:    drops requests_pkey__back if a broken-off rollback left it; its rollback builds it on the old columns
-- locks:   SHARE UPDATE EXCLUSIVE on request, if the index is there: reads and writes go on
-- cost:    waits for transactions that are older, if the index is there
-- undo:    builds requests_pkey__back: reads request twice and waits for transactions that are older
-- transactional: false
-- depends: 0508_contract_request_pkey_again

DROP INDEX CONCURRENTLY IF EXISTS public.requests_pkey__back;
