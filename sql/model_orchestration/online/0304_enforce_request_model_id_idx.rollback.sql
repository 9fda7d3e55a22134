-- Drops the index; reads and writes go on.

DROP INDEX CONCURRENTLY IF EXISTS public.request_model_id_idx;
