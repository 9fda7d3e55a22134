-- Build the index provider_quota_pkey on the new columns of provider_quotas.
--
-- does:    builds what provider_quotas_pkey is for the old columns
-- locks:   SHARE UPDATE EXCLUSIVE on provider_quotas: reads and writes go on
-- cost:    reads provider_quotas twice and waits for transactions that are older; if it fails it leaves an invalid
--          index: DROP INDEX CONCURRENTLY public.provider_quota_pkey, then run it again
-- undo:    drops the index; reads and writes go on
-- transactional: false
-- depends: 0203_backfill_provider_quota

CREATE UNIQUE INDEX CONCURRENTLY provider_quota_pkey ON public.provider_quotas USING btree (id__new);
