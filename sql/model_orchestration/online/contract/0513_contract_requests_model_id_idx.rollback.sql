-- Undo: Drop the index requests_model_id_idx of the old columns of request.
--
-- does:    builds requests_model_id_idx on the old columns: reads and writes go on. If it fails it leaves an invalid
--          index: DROP INDEX CONCURRENTLY public.requests_model_id_idx, then run it again
-- locks:   SHARE UPDATE EXCLUSIVE on request: reads and writes go on
-- cost:    reads request twice and waits for transactions that are older

CREATE INDEX CONCURRENTLY requests_model_id_idx ON public.request USING btree (model_id__old);
