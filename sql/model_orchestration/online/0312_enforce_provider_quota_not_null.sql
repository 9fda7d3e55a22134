-- Set NOT NULL on the new columns of provider_quotas.
--
-- does:    sets NOT NULL, which the CHECK provider_quotas_filled proves; then drops it and provider_quotas_in_step, as
--          the trigger keeps both sides equal
-- locks:   ACCESS EXCLUSIVE on provider_quotas for a few ms; gives up after 200 ms: run it again
-- cost:    no scan, because the CHECK is dropped in a second statement
-- undo:    instant
-- depends: 0311_enforce_provider_quota_validate

CALL trueup.fix_transaction();
SET LOCAL lock_timeout = '200ms';

-- The validated CHECK spares the scan, so it must still be there.
ALTER TABLE public.provider_quotas ALTER COLUMN id__new SET NOT NULL, ALTER COLUMN provider__new SET NOT NULL;

ALTER TABLE public.provider_quotas DROP CONSTRAINT provider_quotas_filled, DROP CONSTRAINT provider_quotas_in_step;

CALL trueup.rename_not_nulls('public.provider_quotas', 'provider_quota', ARRAY[
    'id__new', 'provider__new'
]::name[], ending => '__new');
