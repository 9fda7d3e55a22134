-- Undo: Drop the index provider_quotas_provider_idx of the old columns of provider_quota.
--
-- does:    builds provider_quotas_provider_idx on the old columns: reads and writes go on. If it fails it leaves an
--          invalid index: DROP INDEX CONCURRENTLY public.provider_quotas_provider_idx, then run it again
-- locks:   SHARE UPDATE EXCLUSIVE on provider_quota: reads and writes go on
-- cost:    reads provider_quota twice and waits for transactions that are older

CREATE INDEX CONCURRENTLY provider_quotas_provider_idx ON public.provider_quota USING btree (provider__old);
