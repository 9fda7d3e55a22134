-- For the rollback: build an index for the old key of provider_quota.
--
-- does:    drops provider_quotas_pkey__back if a broken-off rollback left it; its rollback builds it on the old columns
-- locks:   SHARE UPDATE EXCLUSIVE on provider_quota, if the index is there: reads and writes go on
-- cost:    waits for transactions that are older, if the index is there
-- undo:    builds provider_quotas_pkey__back: reads provider_quota twice and waits for transactions that are older
-- transactional: false
-- depends: 0522_contract_provider_quota_pkey_again

DROP INDEX CONCURRENTLY IF EXISTS public.provider_quotas_pkey__back;
