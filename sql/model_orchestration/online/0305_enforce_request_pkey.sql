-- Build the index request_pkey on the new columns of requests.
--
-- does:    builds what requests_pkey is for the old columns
-- locks:   SHARE UPDATE EXCLUSIVE on requests: reads and writes go on
-- cost:    reads requests twice and waits for transactions that are older; if it fails it leaves an invalid index: DROP
--          INDEX CONCURRENTLY public.request_pkey, then run it again
-- undo:    drops the index; reads and writes go on
-- transactional: false
-- depends: 0304_enforce_request_model_id_idx

CREATE UNIQUE INDEX CONCURRENTLY request_pkey ON public.requests USING btree (id__new);
