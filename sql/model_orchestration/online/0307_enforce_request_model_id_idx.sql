-- Build the index request_model_id_idx on the new columns of request.
--
-- does:    builds what requests_model_id_idx is for the old columns
-- locks:   SHARE UPDATE EXCLUSIVE on request: reads and writes go on
-- cost:    reads request twice and waits for transactions that are older; if it fails it leaves an
--          invalid index: DROP INDEX request_model_id_idx, then run it again
-- undo:    drops the index; reads and writes go on
-- transactional: false
-- depends: 0306_enforce_request_check

CREATE INDEX CONCURRENTLY request_model_id_idx ON public.request USING btree (model_id);
