-- Undo: Drop the index requests_provider_success_idx of the old columns of request.
--
-- does:    builds requests_provider_success_idx on the old columns: reads and writes go on. If it fails it leaves an
--          invalid index: DROP INDEX CONCURRENTLY public.requests_provider_success_idx, then run it again
-- locks:   SHARE UPDATE EXCLUSIVE on request: reads and writes go on
-- cost:    reads request twice and waits for transactions that are older

CREATE INDEX CONCURRENTLY requests_provider_success_idx ON public.request USING btree (provider__old, success);
