-- Set NOT NULL on the new columns of requests.
--
-- does:    sets NOT NULL, which the CHECK requests_filled proves; then drops it and requests_in_step, as the trigger
--          keeps both sides equal
-- locks:   ACCESS EXCLUSIVE on requests for a few ms; gives up after 200 ms: run it again
-- cost:    no scan, because the CHECK is dropped in a second statement
-- undo:    instant
-- depends: 0307_enforce_request_validate

CALL trueup.fix_transaction();
SET LOCAL lock_timeout = '200ms';

-- The validated CHECK spares the scan, so it must still be there.
ALTER TABLE public.requests
    ALTER COLUMN id__new SET NOT NULL, ALTER COLUMN request_type__new SET NOT NULL,
    ALTER COLUMN model_id__new SET NOT NULL, ALTER COLUMN provider__new SET NOT NULL;

ALTER TABLE public.requests DROP CONSTRAINT requests_filled, DROP CONSTRAINT requests_in_step;

CALL trueup.rename_not_nulls('public.requests', 'request', ARRAY[
    'id__new', 'request_type__new', 'model_id__new', 'provider__new'
]::name[], ending => '__new');
