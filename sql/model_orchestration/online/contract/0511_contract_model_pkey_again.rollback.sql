-- Rollback: build an index for the new key of model.
--
-- does:    builds model_pkey__again on the new columns: reads and writes go on. If it fails it leaves an invalid index:
--          DROP INDEX CONCURRENTLY public.model_pkey__again, then run it again
-- locks:   SHARE UPDATE EXCLUSIVE on model: reads and writes go on
-- cost:    reads model twice and waits for transactions that are older

CREATE UNIQUE INDEX CONCURRENTLY model_pkey__again ON public.model USING btree (id);
