-- Build the index provider_quota_provider_idx on the new columns of provider_quotas.
--
-- does:    builds what provider_quotas_provider_idx is for the old columns
-- locks:   SHARE UPDATE EXCLUSIVE on provider_quotas: reads and writes go on
-- cost:    reads provider_quotas twice and waits for transactions that are older; if it fails it leaves an invalid
--          index: DROP INDEX CONCURRENTLY public.provider_quota_provider_idx, then run it again
-- undo:    drops the index; reads and writes go on
-- transactional: false
-- depends: 0309_enforce_provider_quota_pkey

CREATE INDEX CONCURRENTLY provider_quota_provider_idx ON public.provider_quotas USING btree (provider__new);
