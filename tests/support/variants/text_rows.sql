-- Rows of variant A as a tidy service writes them: canonical ids, lowercase values.

INSERT INTO models (
    id, model_id, provider, display_name, description, capabilities, status, max_tokens,
    token_limit, cost_per_token, configuration, model_metadata, created_at, updated_at
)
SELECT
    md5('model ' || model_id)::uuid::text,
    model_id,
    provider,
    display_name,
    CASE WHEN n % 3 = 0 THEN E'Line one\nline two\twith a tab and a \\ and "quotes"' END,
    capabilities::varchar[],
    status,
    max_tokens,
    CASE WHEN n % 2 = 0 THEN max_tokens * 2 END,
    cost,
    CASE WHEN n % 2 = 0 THEN '{"temperature":  0.7, "stop": ["\n", "é"]}' END::json,
    CASE WHEN n % 4 = 0 THEN '{}' END::json,
    timestamptz '2025-01-01 00:00:00.123456+00' + n * interval '1 day',
    timestamptz '2025-02-01 00:00:00+02' + n * interval '1 hour'
FROM (
    VALUES
        (1, 'gpt-4', 'openai', 'GPT-4', '{chat}', 'active', 8192, 0.00003),
        (2, 'gpt-3.5-turbo', 'openai', 'GPT-3.5', '{chat,completion}', 'active', 4096, 0.000002),
        (3, 'text-embedding-ada-002', 'openai', NULL, '{embedding}', 'active', 8191, 0.0000001),
        (4, 'dall-e-3', 'openai', 'DALL·E 3', '{image_generation}', 'inactive', NULL, 0.04),
        (5, 'whisper-1', 'openai', NULL, '{audio_transcription,audio_translation}', 'active', NULL, NULL),
        (6, 'claude-3', 'anthropic', 'Claude 3', '{chat,completion}', 'active', 200000, 0.000015),
        (7, 'claude-1', 'anthropic', 'Claude 1', '{completion}', 'deprecated', 9000, 0.00001),
        (8, 'llama3:latest', 'ollama', 'Llama 3', '{chat}', 'active', 8192, 0),
        (9, 'in-house', 'custom', NULL, '{}', 'inactive', NULL, NULL)
) AS m (n, model_id, provider, display_name, capabilities, status, max_tokens, cost);

INSERT INTO requests (
    id, request_id, request_type, model_id, provider, user_id, project_id, task_id, request_data,
    response_data, prompt_tokens, completion_tokens, total_tokens, latency_ms, cost, success,
    error_message, error_code, created_at, completed_at
)
SELECT
    md5('request ' || n)::uuid::text,
    'req_' || n,
    (ARRAY['chat', 'completion', 'embedding', 'image_generation'])[n % 4 + 1],
    m.id,
    m.provider,
    CASE WHEN n % 7 <> 0 THEN 'user-' || n % 11 END,
    CASE WHEN n % 5 <> 0 THEN 'project-' || n % 3 END,
    CASE WHEN n % 2 = 0 THEN 'task-' || n END,
    ('{"messages": [{"role": "user",  "content": "question ' || n || '"}]}')::json,
    CASE WHEN n % 6 <> 0 THEN '{"choices":[ ]}' END::json,
    n % 900,
    CASE WHEN n % 6 <> 0 THEN n % 70 END,
    n % 900 + n % 70,
    CASE WHEN n % 6 <> 0 THEN n * 1.37 END,
    CASE WHEN n % 6 <> 0 THEN n / 3.0 * 0.000001 END,
    n % 6 <> 0,
    CASE WHEN n % 6 = 0 THEN 'the provider said: 50% of quota "used"' END,
    CASE WHEN n % 6 = 0 THEN (ARRAY['rate_limit_exceeded', 'request_timeout'])[n / 6 % 2 + 1] END,
    timestamptz '2025-03-01 00:00:00+00' + n * interval '1 minute',
    CASE WHEN n % 6 <> 0 THEN timestamptz '2025-03-01 00:00:01+00' + n * interval '1 minute' END
FROM generate_series(1, 300) AS n
JOIN (SELECT id, provider, row_number() OVER (ORDER BY model_id) AS place FROM models) AS m
    ON m.place = n % 9 + 1;

INSERT INTO provider_quotas (
    id, provider, daily_token_limit, monthly_token_limit, daily_cost_limit, daily_tokens_used,
    monthly_tokens_used, daily_cost_used, monthly_cost_used, daily_reset_at, created_at, updated_at
)
SELECT
    md5('quota ' || n)::uuid::text,
    (ARRAY['openai', 'anthropic', 'ollama', 'custom'])[n % 4 + 1],
    n * 1000,
    CASE WHEN n % 3 <> 0 THEN n * 30000 END,
    n * 1.5,
    n,
    n * 2,
    n * 0.1,
    n * 0.2,
    CASE WHEN n % 2 = 0 THEN timestamptz '2025-03-02 00:00:00+00' END,
    timestamptz '2025-01-01 00:00:00+00' + n * interval '1 second',
    timestamptz '2025-01-01 00:00:00+00' + n * interval '1 minute'
FROM generate_series(1, 12) AS n;
