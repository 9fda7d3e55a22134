-- Undo: Build the index provider_quota_pkey on the new columns of provider_quotas.
--
-- does:    drops the index; reads and writes go on
-- locks:   SHARE UPDATE EXCLUSIVE on provider_quotas: reads and writes go on
-- cost:    waits for transactions that are older

DROP INDEX CONCURRENTLY IF EXISTS public.provider_quota_pkey;
