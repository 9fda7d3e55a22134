-- Rollback: build an index for the old key of provider_quota.
--
-- does:    builds provider_quotas_pkey__back on the old columns: reads and writes go on. If it fails it leaves an
--          invalid index: DROP INDEX CONCURRENTLY public.provider_quotas_pkey__back, then run it again
-- locks:   SHARE UPDATE EXCLUSIVE on provider_quota: reads and writes go on
-- cost:    reads provider_quota twice and waits for transactions that are older

CREATE UNIQUE INDEX CONCURRENTLY provider_quotas_pkey__back ON public.provider_quota USING btree (id__old);
