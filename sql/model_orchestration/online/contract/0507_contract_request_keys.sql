-- Make the unique indexes of request its keys.
--
-- does:    makes them the keys in place of the old ones
-- locks:   ACCESS EXCLUSIVE on request for a few ms; gives up after 200 ms: run it again
-- cost:    no rewrite, no scan
-- undo:    the old keys in place of the new ones, whose foreign keys are added again as NOT VALID: instant
-- depends: 0506_contract_model_old_fkeys

CALL trueup.fix_transaction();
SET LOCAL lock_timeout = '200ms';

ALTER TABLE public.request
    DROP CONSTRAINT requests_pkey, ADD CONSTRAINT request_pkey PRIMARY KEY USING INDEX request_pkey;

-- By it the rollback sets NOT NULL, wherever contract ended; it goes with its columns.
ALTER TABLE public.request
    ADD CONSTRAINT request_filled CHECK (id__old IS NOT NULL AND request_type__old IS NOT NULL AND model_id__old IS NOT NULL AND provider__old IS NOT NULL) NOT VALID;
