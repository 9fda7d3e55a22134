-- Stop here when requests holds a row that cannot be converted.
--
-- does:    reads requests and names the column, the values, how many rows, and the query that shows
--          them; changes nothing
-- locks:   ACCESS SHARE on requests, as any SELECT
-- cost:    reads requests once for each rule
-- undo:    nothing to undo
-- depends: 0501_window_toolkit

CALL trueup.refuse_rows(
    'public.requests',
    'id',
    $$NOT trueup.is_uuid(id)$$,
    'is not a uuid'
);

CALL trueup.refuse_rows(
    'public.requests',
    'id',
    $$id::uuid IN (SELECT id::uuid FROM public.requests GROUP BY 1 HAVING count(*) > 1)$$,
    'is the same uuid as another row'
);

CALL trueup.refuse_rows(
    'public.requests',
    'request_type',
    $$upper(request_type) NOT IN ('CHAT', 'COMPLETION', 'EMBEDDING', 'IMAGE_GENERATION', 'AUDIO_TRANSCRIPTION', 'AUDIO_TRANSLATION')$$,
    'is not one of CHAT, COMPLETION, EMBEDDING, IMAGE_GENERATION, AUDIO_TRANSCRIPTION, AUDIO_TRANSLATION'
);

CALL trueup.refuse_rows(
    'public.requests',
    'model_id',
    $$NOT trueup.is_uuid(model_id)$$,
    'is not a uuid'
);

CALL trueup.refuse_rows(
    'public.requests',
    'provider',
    $$upper(provider) NOT IN ('OPENAI', 'ANTHROPIC', 'OLLAMA', 'CUSTOM')$$,
    'is not one of OPENAI, ANTHROPIC, OLLAMA, CUSTOM'
);
