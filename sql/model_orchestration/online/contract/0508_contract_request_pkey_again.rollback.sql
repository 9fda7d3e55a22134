-- Builds request_pkey__again on the new columns: reads and writes go on. If it fails it leaves an invalid index: drop it, then run it again.

CREATE UNIQUE INDEX CONCURRENTLY request_pkey__again ON public.request USING btree (id);
