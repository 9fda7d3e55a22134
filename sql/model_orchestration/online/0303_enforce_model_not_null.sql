-- Set NOT NULL on the new columns of models.
--
-- does:    sets NOT NULL, which the CHECK models_filled proves; then drops it and models_in_step, as the trigger keeps
--          both sides equal
-- locks:   ACCESS EXCLUSIVE on models for a few ms; gives up after 200 ms: run it again
-- cost:    no scan, because the CHECK is dropped in a second statement
-- undo:    instant
-- depends: 0302_enforce_model_validate

CALL trueup.fix_transaction();
SET LOCAL lock_timeout = '200ms';

-- The validated CHECK spares the scan, so it must still be there.
ALTER TABLE public.models
    ALTER COLUMN id__new SET NOT NULL, ALTER COLUMN provider__new SET NOT NULL,
    ALTER COLUMN capabilities__new SET NOT NULL, ALTER COLUMN status__new SET NOT NULL;

ALTER TABLE public.models DROP CONSTRAINT models_filled, DROP CONSTRAINT models_in_step;

CALL trueup.rename_not_nulls('public.models', 'model', ARRAY[
    'id__new', 'provider__new', 'capabilities__new', 'status__new'
]::name[], ending => '__new');
