-- Make the unique indexes of provider_quota its keys.
--
-- does:    makes them the keys in place of the old ones
-- locks:   ACCESS EXCLUSIVE on provider_quota for a few ms; gives up after 200 ms: run it again
-- cost:    no rewrite, no scan
-- undo:    the old keys in place of the new ones, whose foreign keys are added again as NOT VALID: instant
-- depends: 0520_contract_provider_quota_reversal

CALL trueup.fix_transaction();
SET LOCAL lock_timeout = '200ms';

ALTER TABLE public.provider_quota
    DROP CONSTRAINT provider_quotas_pkey,
    ADD CONSTRAINT provider_quota_pkey PRIMARY KEY USING INDEX provider_quota_pkey;

-- By it the rollback sets NOT NULL, wherever contract ended; it goes with its columns.
ALTER TABLE public.provider_quota
    ADD CONSTRAINT provider_quota_filled CHECK (id__old IS NOT NULL AND provider__old IS NOT NULL) NOT VALID;
