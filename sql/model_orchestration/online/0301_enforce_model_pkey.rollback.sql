-- Undo: Build the index model_pkey on the new columns of models.
--
-- does:    drops the index; reads and writes go on
-- locks:   SHARE UPDATE EXCLUSIVE on models: reads and writes go on
-- cost:    waits for transactions that are older
-- undo:    apply 0301_enforce_model_pkey again: reads models twice and waits for transactions that
--          are older; if it fails it leaves an invalid index: DROP INDEX CONCURRENTLY
--          public.model_pkey, then run it again

DROP INDEX CONCURRENTLY IF EXISTS public.model_pkey;
