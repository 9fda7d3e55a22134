-- Undo: Build the index request_model_id_idx on the new columns of requests.
--
-- does:    drops the index; reads and writes go on
-- locks:   SHARE UPDATE EXCLUSIVE on requests: reads and writes go on
-- cost:    waits for transactions that are older
-- undo:    apply 0304_enforce_request_model_id_idx again: reads requests twice and waits for
--          transactions that are older; if it fails it leaves an invalid index: DROP INDEX
--          CONCURRENTLY public.request_model_id_idx, then run it again

DROP INDEX CONCURRENTLY IF EXISTS public.request_model_id_idx;
