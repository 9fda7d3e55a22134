-- Build the index request_provider_success_idx on the new columns of requests.
--
-- does:    builds what requests_provider_success_idx is for the old columns
-- locks:   SHARE UPDATE EXCLUSIVE on requests: reads and writes go on
-- cost:    reads requests twice and waits for transactions that are older; if it fails it leaves an invalid index: DROP
--          INDEX CONCURRENTLY public.request_provider_success_idx, then run it again
-- undo:    drops the index; reads and writes go on
-- transactional: false
-- depends: 0305_enforce_request_pkey

CREATE INDEX CONCURRENTLY request_provider_success_idx ON public.requests USING btree (provider__new, success);
