-- Drops the old contract's tables with all their rows.

SET LOCAL lock_timeout = '200ms';

DROP TABLE public.provider_quotas;
DROP TABLE public.requests;
DROP TABLE public.models;
