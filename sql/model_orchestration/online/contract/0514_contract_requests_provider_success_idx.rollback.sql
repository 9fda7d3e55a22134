-- Builds requests_provider_success_idx on the old columns: reads and writes go on. If it fails it leaves an invalid index: drop it, then run it again.

CREATE INDEX CONCURRENTLY requests_provider_success_idx ON public.request USING btree (provider__old, success);
