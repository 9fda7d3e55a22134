-- Set NOT NULL on the new columns of requests.
--
-- does:    sets NOT NULL, which the validated CHECKs prove, then drops these CHECKs, and requests_in_step, as the
--          trigger keeps both equal
-- locks:   ACCESS EXCLUSIVE on requests for a few ms; gives up after 200 ms: run it again
-- cost:    no scan, because the CHECKs are dropped in a second statement
-- undo:    instant
-- depends: 0307_enforce_request_validate

CALL trueup.fix_transaction();
SET LOCAL lock_timeout = '200ms';

-- The validated CHECKs spare the scan, so they must still be there.
ALTER TABLE public.requests
    ALTER COLUMN id__new SET NOT NULL, ALTER COLUMN request_type__new SET NOT NULL,
    ALTER COLUMN model_id__new SET NOT NULL, ALTER COLUMN provider__new SET NOT NULL;

ALTER TABLE public.requests
    DROP CONSTRAINT requests_id__new_filled, DROP CONSTRAINT requests_request_type__new_filled,
    DROP CONSTRAINT requests_model_id__new_filled, DROP CONSTRAINT requests_provider__new_filled,
    DROP CONSTRAINT requests_in_step;

CALL trueup.rename_not_nulls('public.requests', 'request', ARRAY[
    'id__new', 'request_type__new', 'model_id__new', 'provider__new'
]::name[], ending => '__new');
