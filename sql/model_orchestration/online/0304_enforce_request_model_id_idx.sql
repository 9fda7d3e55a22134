-- Build the index request_model_id_idx on the new columns of requests.
--
-- does:    builds what requests_model_id_idx is for the old columns
-- locks:   SHARE UPDATE EXCLUSIVE on requests: reads and writes go on
-- cost:    reads requests twice and waits for transactions that are older; if it fails it leaves an invalid index: DROP
--          INDEX CONCURRENTLY public.request_model_id_idx, then run it again
-- undo:    drops the index; reads and writes go on
-- transactional: false
-- depends: 0202_backfill_request

CREATE INDEX CONCURRENTLY request_model_id_idx ON public.requests USING btree (model_id__new);
