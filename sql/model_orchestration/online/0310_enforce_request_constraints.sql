-- Guard every new row of request by the CHECKs of the new contract.
--
-- does:    adds the CHECKs as NOT VALID: new and changed rows are held to them
-- locks:   ACCESS EXCLUSIVE on request for a few ms; gives up after 200 ms and can be run again
-- cost:    no scan
-- undo:    instant
-- depends: 0309_enforce_request_provider_success_idx

SET LOCAL lock_timeout = '200ms';

ALTER TABLE public.request
    ADD CONSTRAINT request_type_check CHECK (request_type IN ('CHAT', 'COMPLETION', 'EMBEDDING', 'IMAGE_GENERATION', 'AUDIO_TRANSCRIPTION', 'AUDIO_TRANSLATION')) NOT VALID,
    ADD CONSTRAINT request_provider_check CHECK (provider IN ('OPENAI', 'ANTHROPIC', 'OLLAMA', 'CUSTOM')) NOT VALID,
    ADD CONSTRAINT request_id_filled CHECK (id IS NOT NULL) NOT VALID,
    ADD CONSTRAINT request_request_type_filled CHECK (request_type IS NOT NULL) NOT VALID,
    ADD CONSTRAINT request_model_id_filled CHECK (model_id IS NOT NULL) NOT VALID,
    ADD CONSTRAINT request_provider_filled CHECK (provider IS NOT NULL) NOT VALID;
