-- Set NOT NULL on the new columns of provider_quota.
--
-- does:    sets NOT NULL, which the validated CHECKs prove, then drops these CHECKs
-- locks:   ACCESS EXCLUSIVE on provider_quota for a few ms; gives up after 200 ms and can be run
--          again
-- cost:    no scan, because the CHECKs are dropped in a second statement
-- undo:    instant
-- depends: 0317_enforce_provider_quota_validate

SET LOCAL lock_timeout = '200ms';

-- The validated CHECKs spare the scan, so they must still be there.
ALTER TABLE public.provider_quota
    ALTER COLUMN id SET NOT NULL,
    ALTER COLUMN provider SET NOT NULL;

ALTER TABLE public.provider_quota
    DROP CONSTRAINT provider_quota_id_filled,
    DROP CONSTRAINT provider_quota_provider_filled;
