-- Build the index model_pkey on the new columns of model.
--
-- does:    builds what models_pkey is for the old columns
-- locks:   SHARE UPDATE EXCLUSIVE on model: reads and writes go on
-- cost:    reads model twice and waits for transactions that are older; if it fails it leaves an
--          invalid index: DROP INDEX model_pkey, then run it again
-- undo:    drops the index; reads and writes go on
-- transactional: false
-- depends: 0301_enforce_model_check

CREATE UNIQUE INDEX CONCURRENTLY model_pkey ON public.model USING btree (id);
