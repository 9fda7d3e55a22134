-- Build the index model_pkey on the new columns of models.
--
-- does:    builds what models_pkey is for the old columns
-- locks:   SHARE UPDATE EXCLUSIVE on models: reads and writes go on
-- cost:    reads models twice and waits for transactions that are older; if it fails it leaves an invalid index: DROP
--          INDEX CONCURRENTLY public.model_pkey, then run it again
-- undo:    drops the index; reads and writes go on
-- transactional: false
-- depends: 0201_backfill_model

CREATE UNIQUE INDEX CONCURRENTLY model_pkey ON public.models USING btree (id__new);
