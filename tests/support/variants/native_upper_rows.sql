INSERT INTO models (id, model_id, provider, display_name, capabilities, status, max_tokens, configuration)
VALUES
    (md5('1')::uuid, 'gpt-4', 'OPENAI', 'GPT-4', '{chat}', 'ACTIVE', 8192, '{"a":  1}'),
    (md5('2')::uuid, 'gpt-3.5-turbo', 'OPENAI', NULL, '{chat,Completion}', 'ACTIVE', 4096, NULL),
    (md5('3')::uuid, 'whisper-1', 'OPENAI', NULL, '{audio_transcription}', 'INACTIVE', NULL, NULL),
    (md5('4')::uuid, 'claude-3', 'ANTHROPIC', 'Claude 3', '{}', 'DEPRECATED', NULL, 'null'),
    (md5('5')::uuid, 'llama3:latest', 'OLLAMA', NULL, '{CHAT}', 'ACTIVE', NULL, '[]');

INSERT INTO requests (
    id, request_id, request_type, model_id, provider, user_id, request_data, success, created_at,
    completed_at
)
SELECT
    md5('request ' || n)::uuid,
    'req_' || n,
    (enum_range(NULL::requesttype))[n % 6 + 1],
    (ARRAY['gpt-4', 'claude-3', 'a model that is gone'])[n % 3 + 1],
    (enum_range(NULL::modelprovider))[n % 4 + 1],
    CASE WHEN n % 3 = 0 THEN 'user-' || n END,
    '{"n" : 1}',
    n % 2 = 0,
    timestamptz '2025-03-01 00:00:00+00' + n * interval '1 minute',
    CASE WHEN n % 4 <> 0 THEN timestamptz '2025-03-02 00:00:00+00' END
FROM generate_series(1, 200) AS n;

INSERT INTO provider_quotas (
    provider, daily_tokens_used, monthly_tokens_used, daily_cost_used, monthly_cost_used
)
SELECT (enum_range(NULL::modelprovider))[n % 4 + 1], n, n, n / 3.0, n / 7.0
FROM generate_series(1, 9) AS n;
