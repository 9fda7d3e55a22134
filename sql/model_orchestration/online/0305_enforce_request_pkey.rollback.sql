-- Undo: Build the index request_pkey on the new columns of requests.
--
-- does:    drops the index; reads and writes go on
-- locks:   SHARE UPDATE EXCLUSIVE on requests: reads and writes go on
-- cost:    waits for transactions that are older
-- undo:    apply 0305_enforce_request_pkey again: reads requests twice and waits for transactions
--          that are older; if it fails it leaves an invalid index: DROP INDEX CONCURRENTLY
--          public.request_pkey, then run it again

DROP INDEX CONCURRENTLY IF EXISTS public.request_pkey;
