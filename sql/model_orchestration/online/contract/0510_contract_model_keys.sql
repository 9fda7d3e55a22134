-- Make the unique indexes of model its keys.
--
-- does:    makes them the keys in place of the old ones
-- locks:   ACCESS EXCLUSIVE on model for a few ms; gives up after 200 ms: run it again
-- cost:    no rewrite, no scan
-- undo:    the old keys in place of the new ones, whose foreign keys are added again as NOT VALID: instant
-- depends: 0509_contract_requests_pkey_back

CALL trueup.fix_transaction();
SET LOCAL lock_timeout = '200ms';

ALTER TABLE public.model DROP CONSTRAINT models_pkey, ADD CONSTRAINT model_pkey PRIMARY KEY USING INDEX model_pkey;

-- By it the rollback sets NOT NULL, wherever contract ended; it goes with its columns.
ALTER TABLE public.model
    ADD CONSTRAINT model_filled CHECK (id__old IS NOT NULL AND provider__old IS NOT NULL AND capabilities__old IS NOT NULL AND status__old IS NOT NULL) NOT VALID;
