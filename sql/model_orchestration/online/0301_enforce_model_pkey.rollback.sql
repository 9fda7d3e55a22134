-- Undo: Build the index model_pkey on the new columns of models.
--
-- does:    drops the index; reads and writes go on
-- locks:   SHARE UPDATE EXCLUSIVE on models: reads and writes go on
-- cost:    no rewrite, no scan
-- undo:    apply 0301_enforce_model_pkey again: reads models twice and waits for transactions that
--          are older; if it fails it leaves an invalid index: DROP INDEX model_pkey, then run it
--          again

DROP INDEX CONCURRENTLY IF EXISTS public.model_pkey;
