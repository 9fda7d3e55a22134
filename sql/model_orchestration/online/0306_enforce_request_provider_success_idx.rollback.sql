-- Undo: Build the index request_provider_success_idx on the new columns of requests.
--
-- does:    drops the index; reads and writes go on
-- locks:   SHARE UPDATE EXCLUSIVE on requests: reads and writes go on
-- cost:    waits for transactions that are older
-- undo:    apply 0306_enforce_request_provider_success_idx again: reads requests twice and waits
--          for transactions that are older; if it fails it leaves an invalid index: DROP INDEX
--          CONCURRENTLY public.request_provider_success_idx, then run it again

DROP INDEX CONCURRENTLY IF EXISTS public.request_provider_success_idx;
