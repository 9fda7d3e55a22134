"""The rows of a Model Orchestration service that has run for a while, at its old contract."""

from __future__ import annotations

from typing import Any, LiteralString

from psycopg import Connection, sql

_MODELS: LiteralString = """
    INSERT INTO public.models
        (id, model_id, provider, display_name, capabilities, status, max_tokens, cost_per_token)
    VALUES
        (gen_random_uuid(), 'gpt-4', 'openai', 'GPT-4', '{chat,completion}', 'active', 8192, 3e-5),
        (gen_random_uuid(), 'gpt-3.5-turbo', 'openai', 'GPT-3.5', '{chat,completion}', 'active',
            4096, 2e-6),
        (gen_random_uuid(), 'text-embedding-ada-002', 'openai', 'Ada', '{embedding}', 'active',
            8191, 1e-7),
        (gen_random_uuid(), 'dall-e-3', 'openai', 'DALL-E 3', '{image_generation}', 'active',
            NULL, NULL),
        (gen_random_uuid(), 'whisper-1', 'openai', 'Whisper',
            '{audio_transcription,audio_translation}', 'deprecated', NULL, NULL),
        (gen_random_uuid(), 'claude-3', 'anthropic', 'Claude 3', '{chat}', 'active', 4096, 1.5e-5),
        (upper(gen_random_uuid()::text), 'llama3:latest', 'Ollama', 'Llama 3', '{chat}', 'Active',
            8192, NULL)
"""

_QUOTAS: LiteralString = """
    INSERT INTO public.provider_quotas
        (id, provider, daily_token_limit, daily_tokens_used, monthly_tokens_used, daily_cost_used,
         monthly_cost_used)
    SELECT gen_random_uuid(), provider, 1000000, 0, 0, 0, 0
    FROM unnest(ARRAY['openai', 'anthropic', 'ollama', 'custom']) AS provider
"""

_REQUESTS: LiteralString = """
    INSERT INTO public.requests
        (id, request_id, request_type, model_id, provider, user_id, request_data, response_data,
         prompt_tokens, completion_tokens, total_tokens, latency_ms, cost, success, error_code,
         created_at)
    SELECT
        gen_random_uuid(), 'req-' || n, lower(m.capabilities[1]), m.id, m.provider,
        'user-' || n %% 500, json_build_object('prompt', repeat('x', n %% 200)),
        json_build_object('text', repeat('y', n %% 300)),
        n %% 900, n %% 700, n %% 900 + n %% 700, 80 + n %% 4000, (n %% 700) * 1e-5, n %% 50 <> 0,
        CASE WHEN n %% 50 = 0 THEN 'rate_limit_exceeded' END, now() - n * interval '7 seconds'
    FROM generate_series(1, %(rows)s) AS n
    JOIN (
        SELECT *, row_number() OVER (ORDER BY model_id) - 1 AS place
        FROM public.models WHERE status = lower(status)
    ) AS m ON m.place = n %% 6
"""


def fill(connection: Connection[Any], rows: int) -> dict[str, Any]:
    """Fill the legacy schema.

    Args:
        connection: a connection in autocommit mode.
        rows: how many requests.

    Returns:
        Ids for the clients to work with: some models, some requests, one quota.
    """
    with connection.transaction():
        connection.execute(_MODELS)
        connection.execute(_QUOTAS)
        connection.execute(_REQUESTS, {"rows": rows})
    for table in ("models", "requests", "provider_quotas"):
        connection.execute(sql.SQL("VACUUM ANALYZE {}").format(sql.Identifier("public", table)))
    return {
        # A client of the old contract looks up ids as they are spelled there.
        "models": _texts(connection, "SELECT id FROM public.models WHERE status = lower(status)"),
        "requests": _texts(connection, "SELECT id FROM public.requests ORDER BY id LIMIT 2000"),
        "quota": _texts(connection, "SELECT id FROM public.provider_quotas LIMIT 1")[0],
    }


def _texts(connection: Connection[Any], query: LiteralString) -> list[str]:
    return [row[0] for row in connection.execute(query)]
