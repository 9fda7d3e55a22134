-- Undo: Build the index provider_quota_provider_idx on the new columns of provider_quotas.
--
-- does:    drops the index; reads and writes go on
-- locks:   SHARE UPDATE EXCLUSIVE on provider_quotas: reads and writes go on
-- cost:    waits for transactions that are older
-- undo:    apply 0310_enforce_provider_quota_provider_idx again: reads provider_quotas twice and
--          waits for transactions that are older; if it fails it leaves an invalid index: DROP
--          INDEX CONCURRENTLY public.provider_quota_provider_idx, then run it again

DROP INDEX CONCURRENTLY IF EXISTS public.provider_quota_provider_idx;
