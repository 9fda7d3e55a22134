-- Rollback: build an index for the new key of provider_quota.
--
-- does:    builds provider_quota_pkey__again on the new columns: reads and writes go on. If it fails it leaves an
--          invalid index: DROP INDEX CONCURRENTLY public.provider_quota_pkey__again, then run it again
-- locks:   SHARE UPDATE EXCLUSIVE on provider_quota: reads and writes go on
-- cost:    reads provider_quota twice and waits for transactions that are older

CREATE UNIQUE INDEX CONCURRENTLY provider_quota_pkey__again ON public.provider_quota USING btree (id);
