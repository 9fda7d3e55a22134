-- Guard every new row of provider_quota by the CHECKs of the new contract.
--
-- does:    adds the CHECKs as NOT VALID: new and changed rows are held to them
-- locks:   ACCESS EXCLUSIVE on provider_quota for a few ms; gives up after 200 ms and can be run
--          again
-- cost:    no scan
-- undo:    instant
-- depends: 0315_enforce_provider_quota_provider_idx

SET LOCAL lock_timeout = '200ms';

ALTER TABLE public.provider_quota
    ADD CONSTRAINT provider_quota_provider_check CHECK (provider IN ('OPENAI', 'ANTHROPIC', 'OLLAMA', 'CUSTOM')) NOT VALID,
    ADD CONSTRAINT provider_quota_id_filled CHECK (id IS NOT NULL) NOT VALID,
    ADD CONSTRAINT provider_quota_provider_filled CHECK (provider IS NOT NULL) NOT VALID;
