-- Stop here when a row of model is not as the new contract wants it.
--
-- does:    reads the table and names the column, the values, how many rows, and the query that
--          shows them; changes nothing
-- locks:   ACCESS SHARE on model, as any SELECT
-- cost:    reads model once; once more when something is wrong, to say which rows
-- undo:    nothing to undo
-- depends: 0201_backfill_model

CALL trueup.require_clean(
    'public.model',
    rules => ARRAY[
        [
            'id',
            $$(id, provider, capabilities, status) IS DISTINCT FROM (id__old::uuid, upper(provider__old), upper(capabilities__old::text)::varchar[], upper(status__old))$$,
            'stands in a row whose two sides differ'
        ],
        [
            'provider',
            $$NOT (provider IN ('OPENAI', 'ANTHROPIC', 'OLLAMA', 'CUSTOM'))$$,
            'is not one of OPENAI, ANTHROPIC, OLLAMA, CUSTOM'
        ],
        [
            'capabilities',
            $$NOT (capabilities <@ ARRAY['CHAT', 'COMPLETION', 'EMBEDDING', 'IMAGE_GENERATION', 'AUDIO_TRANSCRIPTION', 'AUDIO_TRANSLATION']::varchar[])$$,
            'is not one of CHAT, COMPLETION, EMBEDDING, IMAGE_GENERATION, AUDIO_TRANSCRIPTION, AUDIO_TRANSLATION'
        ],
        [
            'status',
            $$NOT (status IN ('ACTIVE', 'INACTIVE', 'DEPRECATED'))$$,
            'is not one of ACTIVE, INACTIVE, DEPRECATED'
        ]
    ]
);
