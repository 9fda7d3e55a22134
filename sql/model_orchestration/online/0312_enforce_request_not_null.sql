-- Set NOT NULL on the new columns of request.
--
-- does:    sets NOT NULL, which the validated CHECKs prove, then drops these CHECKs
-- locks:   ACCESS EXCLUSIVE on request for a few ms; gives up after 200 ms and can be run again
-- cost:    no scan, because the CHECKs are dropped in a second statement
-- undo:    instant
-- depends: 0311_enforce_request_validate

SET LOCAL lock_timeout = '200ms';

-- The validated CHECKs spare the scan, so they must still be there.
ALTER TABLE public.request
    ALTER COLUMN id SET NOT NULL,
    ALTER COLUMN request_type SET NOT NULL,
    ALTER COLUMN model_id SET NOT NULL,
    ALTER COLUMN provider SET NOT NULL;

ALTER TABLE public.request
    DROP CONSTRAINT request_id_filled,
    DROP CONSTRAINT request_request_type_filled,
    DROP CONSTRAINT request_model_id_filled,
    DROP CONSTRAINT request_provider_filled;
