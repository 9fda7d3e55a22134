-- For the rollback: build an index for the new key of provider_quota.
--
-- does:    drops provider_quota_pkey__again if a broken-off rollback left it; its rollback builds it on the new columns
-- locks:   SHARE UPDATE EXCLUSIVE on provider_quota, if the index is there: reads and writes go on
-- cost:    waits for transactions that are older, if the index is there
-- undo:    builds provider_quota_pkey__again: reads provider_quota twice and waits for transactions that are older
-- transactional: false
-- depends: 0521_contract_provider_quota_keys

DROP INDEX CONCURRENTLY IF EXISTS public.provider_quota_pkey__again;
