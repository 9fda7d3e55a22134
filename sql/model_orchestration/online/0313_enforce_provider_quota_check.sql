-- Stop here when a row of provider_quota is not as the new contract wants it.
--
-- does:    reads the table and names the column, the values, how many rows, and the query that
--          shows them; changes nothing
-- locks:   ACCESS SHARE on provider_quota, as any SELECT
-- cost:    reads provider_quota once for each rule
-- undo:    nothing to undo
-- depends: 0203_backfill_provider_quota

CALL trueup.refuse_rows(
    'public.provider_quota',
    'id',
    $$(id, provider) IS DISTINCT FROM (id__old::uuid, upper(provider__old))$$,
    'stands in a row whose two sides differ'
);

CALL trueup.refuse_rows(
    'public.provider_quota',
    'provider',
    $$NOT (provider IN ('OPENAI', 'ANTHROPIC', 'OLLAMA', 'CUSTOM'))$$,
    'is not one of OPENAI, ANTHROPIC, OLLAMA, CUSTOM'
);
