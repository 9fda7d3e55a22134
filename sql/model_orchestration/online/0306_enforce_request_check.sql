-- Stop here when a row of request is not as the new contract wants it.
--
-- does:    reads the table and names the column, the values, how many rows, and the query that
--          shows them; changes nothing
-- locks:   ACCESS SHARE on request, as any SELECT
-- cost:    reads request once; once more when something is wrong, to say which rows
-- undo:    nothing to undo
-- depends: 0202_backfill_request

CALL trueup.require_clean(
    'public.request',
    rules => ARRAY[
        [
            'id',
            $$(id, request_type, model_id, provider) IS DISTINCT FROM (id__old::uuid, upper(request_type__old), model_id__old::uuid, upper(provider__old))$$,
            'stands in a row whose two sides differ'
        ],
        [
            'request_type',
            $$NOT (request_type IN ('CHAT', 'COMPLETION', 'EMBEDDING', 'IMAGE_GENERATION', 'AUDIO_TRANSCRIPTION', 'AUDIO_TRANSLATION'))$$,
            'is not one of CHAT, COMPLETION, EMBEDDING, IMAGE_GENERATION, AUDIO_TRANSCRIPTION, AUDIO_TRANSLATION'
        ],
        [
            'provider',
            $$NOT (provider IN ('OPENAI', 'ANTHROPIC', 'OLLAMA', 'CUSTOM'))$$,
            'is not one of OPENAI, ANTHROPIC, OLLAMA, CUSTOM'
        ]
    ]
);
