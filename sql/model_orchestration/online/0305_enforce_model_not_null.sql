-- Set NOT NULL on the new columns of model.
--
-- does:    sets NOT NULL, which the validated CHECKs prove, then drops these CHECKs
-- locks:   ACCESS EXCLUSIVE on model for a few ms; gives up after 200 ms and can be run again
-- cost:    no scan, because the CHECKs are dropped in a second statement
-- undo:    instant
-- depends: 0304_enforce_model_validate

SET LOCAL lock_timeout = '200ms';

-- The validated CHECKs spare the scan, so they must still be there.
ALTER TABLE public.model
    ALTER COLUMN id SET NOT NULL,
    ALTER COLUMN provider SET NOT NULL,
    ALTER COLUMN capabilities SET NOT NULL,
    ALTER COLUMN status SET NOT NULL;

ALTER TABLE public.model
    DROP CONSTRAINT model_id_filled,
    DROP CONSTRAINT model_provider_filled,
    DROP CONSTRAINT model_capabilities_filled,
    DROP CONSTRAINT model_status_filled;
