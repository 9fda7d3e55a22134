-- Rollback: build an index for the old key of model.
--
-- does:    builds models_pkey__back on the old columns: reads and writes go on. If it fails it leaves an invalid index:
--          DROP INDEX CONCURRENTLY public.models_pkey__back, then run it again
-- locks:   SHARE UPDATE EXCLUSIVE on model: reads and writes go on
-- cost:    reads model twice and waits for transactions that are older

CREATE UNIQUE INDEX CONCURRENTLY models_pkey__back ON public.model USING btree (id__old);
