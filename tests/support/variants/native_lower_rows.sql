INSERT INTO models (model_id, id, provider, display_name, capabilities, status)
VALUES
    ('gpt-4', md5('1')::uuid::text, 'openai', 'GPT-4', '{chat}', 'active'),
    ('gpt-3.5-turbo', upper(md5('2')::uuid::text), 'openai', NULL, '{chat,completion}', 'active'),
    ('claude-3', md5('3'), 'anthropic', 'Claude 3', '{}', 'deprecated'),
    ('llama3:latest', md5('4')::uuid::text, 'ollama', NULL, '{chat}', 'inactive');

INSERT INTO requests (id, request_id, request_type, model_id, provider, request_data, success)
SELECT
    CASE n % 3 WHEN 0 THEN md5('request ' || n) ELSE md5('request ' || n)::uuid::text END,
    'req_' || n,
    (enum_range(NULL::requesttype))[n % 6 + 1],
    (ARRAY[md5('1')::uuid::text, upper(md5('2')::uuid::text), md5('3'), NULL])[n % 4 + 1],
    CASE WHEN n % 5 <> 0 THEN (enum_range(NULL::modelprovider))[n % 4 + 1] END,
    '{"n" : 1}',
    n % 2 = 0
FROM generate_series(1, 200) AS n;

INSERT INTO provider_quotas (id, provider, daily_tokens_used)
SELECT '{' || md5('quota ' || p)::uuid || '}', p, 7
FROM unnest(enum_range(NULL::modelprovider)) AS p;
