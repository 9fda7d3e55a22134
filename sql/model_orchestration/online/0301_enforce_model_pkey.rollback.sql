-- Drops the index; reads and writes go on.

DROP INDEX CONCURRENTLY IF EXISTS public.model_pkey;
