-- Rollback: build an index for the old key of request.
--
-- does:    builds requests_pkey__back on the old columns: reads and writes go on. If it fails it leaves an invalid
--          index: DROP INDEX CONCURRENTLY public.requests_pkey__back, then run it again
-- locks:   SHARE UPDATE EXCLUSIVE on request: reads and writes go on
-- cost:    reads request twice and waits for transactions that are older

CREATE UNIQUE INDEX CONCURRENTLY requests_pkey__back ON public.request USING btree (id__old);
