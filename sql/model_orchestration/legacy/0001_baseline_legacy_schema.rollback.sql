-- Drops the old contract's tables; refuses while they hold rows.

SET LOCAL lock_timeout = '200ms';

LOCK TABLE public.provider_quotas, public.requests, public.models IN ACCESS EXCLUSIVE MODE;

DO $$
BEGIN
    IF EXISTS (SELECT FROM public.provider_quotas)
        OR EXISTS (SELECT FROM public.requests)
        OR EXISTS (SELECT FROM public.models)
    THEN
        RAISE EXCEPTION 'the tables hold rows, and rolling back the baseline would delete them'
            USING HINT = 'The service is at its old contract again; there is nothing left to undo.';
    END IF;
END
$$;

DROP TABLE public.provider_quotas;
DROP TABLE public.requests;
DROP TABLE public.models;
