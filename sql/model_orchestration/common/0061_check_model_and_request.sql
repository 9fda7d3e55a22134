-- Stop here when models or requests holds a row that cannot be converted.
--
-- does:    reads models, requests and names the column, the values, how many rows, and the query that shows them;
--          changes nothing
-- locks:   ACCESS SHARE on models, requests, as any SELECT
-- cost:    reads models, requests once; once more when something is wrong, to say which rows
-- undo:    nothing to undo
-- depends: 0051_toolkit_model_orchestration_common

CALL trueup.fix_transaction();

CALL trueup.require_clean('public.models', uuids => ARRAY['id'], keys => ARRAY['id'], rules => ARRAY[
    ['provider', $$upper(provider COLLATE "C") NOT IN ('OPENAI', 'ANTHROPIC', 'OLLAMA', 'CUSTOM')$$,
        'is not one of OPENAI, ANTHROPIC, OLLAMA, CUSTOM'],
    ['capabilities', $$NOT upper(capabilities::text COLLATE "C")::varchar[] <@ ARRAY['CHAT', 'COMPLETION', 'EMBEDDING', 'IMAGE_GENERATION', 'AUDIO_TRANSCRIPTION', 'AUDIO_TRANSLATION']::varchar[]$$,
        'is not one of CHAT, COMPLETION, EMBEDDING, IMAGE_GENERATION, AUDIO_TRANSCRIPTION, AUDIO_TRANSLATION'],
    ['status', $$upper(status COLLATE "C") NOT IN ('ACTIVE', 'INACTIVE', 'DEPRECATED')$$,
        'is not one of ACTIVE, INACTIVE, DEPRECATED']
]);

CALL trueup.require_clean('public.requests', uuids => ARRAY['id', 'model_id'], keys => ARRAY['id'], rules => ARRAY[
    ['request_type', $$upper(request_type COLLATE "C") NOT IN ('CHAT', 'COMPLETION', 'EMBEDDING', 'IMAGE_GENERATION', 'AUDIO_TRANSCRIPTION', 'AUDIO_TRANSLATION')$$,
        'is not one of CHAT, COMPLETION, EMBEDDING, IMAGE_GENERATION, AUDIO_TRANSCRIPTION, AUDIO_TRANSLATION'],
    ['provider', $$upper(provider COLLATE "C") NOT IN ('OPENAI', 'ANTHROPIC', 'OLLAMA', 'CUSTOM')$$,
        'is not one of OPENAI, ANTHROPIC, OLLAMA, CUSTOM']
]);
