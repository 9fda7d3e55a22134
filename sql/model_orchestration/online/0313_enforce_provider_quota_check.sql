-- Stop here when a row of provider_quota is not as the new contract wants it.
--
-- does:    reads the table and names the column, the values, how many rows, and the query that
--          shows them; changes nothing
-- locks:   ACCESS SHARE on provider_quota, as any SELECT
-- cost:    reads provider_quota once; once more when something is wrong, to say which rows
-- undo:    nothing to undo
-- depends: 0203_backfill_provider_quota

CALL trueup.require_clean(
    'public.provider_quota',
    rules => ARRAY[
        [
            'id',
            $$(id, provider) IS DISTINCT FROM (id__old::uuid, upper(provider__old))$$,
            'stands in a row whose two sides differ'
        ],
        [
            'provider',
            $$NOT (provider IN ('OPENAI', 'ANTHROPIC', 'OLLAMA', 'CUSTOM'))$$,
            'is not one of OPENAI, ANTHROPIC, OLLAMA, CUSTOM'
        ]
    ]
);
