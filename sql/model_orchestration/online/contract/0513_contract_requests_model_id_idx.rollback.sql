-- Builds requests_model_id_idx on the old columns: reads and writes go on. If it fails it leaves an invalid index: drop it, then run it again.

CREATE INDEX CONCURRENTLY requests_model_id_idx ON public.request USING btree (model_id__old);
