-- Guard every new row of model by the CHECKs of the new contract.
--
-- does:    adds the CHECKs as NOT VALID: new and changed rows are held to them
-- locks:   ACCESS EXCLUSIVE on model for a few ms; gives up after 200 ms and can be run again
-- cost:    no scan
-- undo:    instant
-- depends: 0302_enforce_model_pkey

SET LOCAL lock_timeout = '200ms';

ALTER TABLE public.model
    ADD CONSTRAINT model_provider_check CHECK (provider IN ('OPENAI', 'ANTHROPIC', 'OLLAMA', 'CUSTOM')) NOT VALID,
    ADD CONSTRAINT model_capabilities_check CHECK (capabilities <@ ARRAY['CHAT', 'COMPLETION', 'EMBEDDING', 'IMAGE_GENERATION', 'AUDIO_TRANSCRIPTION', 'AUDIO_TRANSLATION']::varchar[]) NOT VALID,
    ADD CONSTRAINT model_status_check CHECK (status IN ('ACTIVE', 'INACTIVE', 'DEPRECATED')) NOT VALID,
    ADD CONSTRAINT model_id_filled CHECK (id IS NOT NULL) NOT VALID,
    ADD CONSTRAINT model_provider_filled CHECK (provider IS NOT NULL) NOT VALID,
    ADD CONSTRAINT model_capabilities_filled CHECK (capabilities IS NOT NULL) NOT VALID,
    ADD CONSTRAINT model_status_filled CHECK (status IS NOT NULL) NOT VALID;
