-- Builds provider_quotas_provider_idx on the old columns: reads and writes go on. If it fails it leaves an invalid index: drop it, then run it again.

CREATE INDEX CONCURRENTLY provider_quotas_provider_idx ON public.provider_quota USING btree (provider__old);
