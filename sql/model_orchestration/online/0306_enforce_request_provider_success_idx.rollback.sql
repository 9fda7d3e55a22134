-- Undo: Build the index request_provider_success_idx on the new columns of requests.
--
-- does:    drops the index; reads and writes go on
-- locks:   SHARE UPDATE EXCLUSIVE on requests: reads and writes go on
-- cost:    waits for transactions that are older

DROP INDEX CONCURRENTLY IF EXISTS public.request_provider_success_idx;
