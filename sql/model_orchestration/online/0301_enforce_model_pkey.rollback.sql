-- Undo: Build the index model_pkey on the new columns of models.
--
-- does:    drops the index; reads and writes go on
-- locks:   SHARE UPDATE EXCLUSIVE on models: reads and writes go on
-- cost:    waits for transactions that are older

DROP INDEX CONCURRENTLY IF EXISTS public.model_pkey;
