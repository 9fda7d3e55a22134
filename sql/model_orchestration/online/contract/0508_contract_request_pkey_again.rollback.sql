-- Rollback: build an index for the new key of request.
--
-- does:    builds request_pkey__again on the new columns: reads and writes go on. If it fails it leaves an invalid
--          index: DROP INDEX CONCURRENTLY public.request_pkey__again, then run it again
-- locks:   SHARE UPDATE EXCLUSIVE on request: reads and writes go on
-- cost:    reads request twice and waits for transactions that are older

CREATE UNIQUE INDEX CONCURRENTLY request_pkey__again ON public.request USING btree (id);
