-- Make the unique indexes of model its keys.
--
-- does:    makes them the keys in place of the old ones
-- locks:   ACCESS EXCLUSIVE on model for a few ms; gives up after 200 ms and can be run again
-- cost:    no rewrite, no scan
-- undo:    the old keys in place of the new ones, whose foreign keys are added again as NOT VALID:
--          instant
-- depends: 0507_contract_request_keys

SET LOCAL search_path = pg_catalog;
CALL trueup.fix_settings();
SET LOCAL lock_timeout = '200ms';

ALTER TABLE public.model
    DROP CONSTRAINT models_pkey,
    ADD CONSTRAINT model_pkey PRIMARY KEY USING INDEX model_pkey;
