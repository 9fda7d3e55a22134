-- Undo: Set NOT NULL on the new columns of requests.
--
-- does:    takes NOT NULL away: instant
-- locks:   ACCESS EXCLUSIVE on requests for a few ms; gives up after 200 ms: run it again
-- cost:    no rewrite, no scan

CALL trueup.fix_transaction();
SET LOCAL lock_timeout = '200ms';

ALTER TABLE public.requests
    ALTER COLUMN id__new DROP NOT NULL,
    ALTER COLUMN request_type__new DROP NOT NULL,
    ALTER COLUMN model_id__new DROP NOT NULL,
    ALTER COLUMN provider__new DROP NOT NULL,
    ADD CONSTRAINT requests_filled CHECK (id__new IS NOT NULL AND request_type__new IS NOT NULL AND model_id__new IS NOT NULL AND provider__new IS NOT NULL) NOT VALID,
    ADD CONSTRAINT requests_in_step CHECK (id__new IS NOT DISTINCT FROM id::uuid AND request_type__new IS NOT DISTINCT FROM upper(request_type COLLATE "C") AND model_id__new IS NOT DISTINCT FROM model_id::uuid AND provider__new IS NOT DISTINCT FROM upper(provider COLLATE "C")) NOT VALID;
