-- Drop the index provider_quotas_provider_idx of the old columns of provider_quota.
--
-- does:    drops it
-- locks:   SHARE UPDATE EXCLUSIVE on provider_quota: reads and writes go on
-- cost:    waits for transactions that are older
-- undo:    builds provider_quotas_provider_idx: reads provider_quota twice and waits for transactions that are older
-- transactional: false
-- depends: 0523_contract_provider_quotas_pkey_back

DROP INDEX CONCURRENTLY IF EXISTS public.provider_quotas_provider_idx;
