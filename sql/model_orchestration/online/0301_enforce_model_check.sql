-- Stop here when a row of model is not as the new contract wants it.
--
-- does:    reads the table and names the column, the values, how many rows, and the query that
--          shows them; changes nothing
-- locks:   ACCESS SHARE on model, as any SELECT
-- cost:    reads model once for each rule
-- undo:    nothing to undo
-- depends: 0201_backfill_model

CALL trueup.refuse_rows(
    'public.model',
    'id',
    $$(id, provider, capabilities, status) IS DISTINCT FROM (id__old::uuid, upper(provider__old), upper(capabilities__old::text)::varchar[], upper(status__old))$$,
    'stands in a row whose two sides differ'
);

CALL trueup.refuse_rows(
    'public.model',
    'provider',
    $$NOT (provider IN ('OPENAI', 'ANTHROPIC', 'OLLAMA', 'CUSTOM'))$$,
    'is not one of OPENAI, ANTHROPIC, OLLAMA, CUSTOM'
);

CALL trueup.refuse_rows(
    'public.model',
    'capabilities',
    $$NOT (capabilities <@ ARRAY['CHAT', 'COMPLETION', 'EMBEDDING', 'IMAGE_GENERATION', 'AUDIO_TRANSCRIPTION', 'AUDIO_TRANSLATION']::varchar[])$$,
    'is not one of CHAT, COMPLETION, EMBEDDING, IMAGE_GENERATION, AUDIO_TRANSCRIPTION, AUDIO_TRANSLATION'
);

CALL trueup.refuse_rows(
    'public.model',
    'status',
    $$NOT (status IN ('ACTIVE', 'INACTIVE', 'DEPRECATED'))$$,
    'is not one of ACTIVE, INACTIVE, DEPRECATED'
);
