-- Builds provider_quotas_pkey__back on the old columns: reads and writes go on. If it fails it leaves an invalid index: drop it, then run it again.

CREATE UNIQUE INDEX CONCURRENTLY provider_quotas_pkey__back ON public.provider_quota USING btree (id__old);
