-- Stop here when provider_quotas holds a row that cannot be converted.
--
-- does:    reads provider_quotas and names the column, the values, how many rows, and the query that shows them;
--          changes nothing
-- locks:   ACCESS SHARE on provider_quotas, as any SELECT
-- cost:    reads provider_quotas once; once more when something is wrong, to say which rows
-- undo:    nothing to undo
-- depends: 0051_toolkit_model_orchestration_common

CALL trueup.fix_transaction();

CALL trueup.require_clean('public.provider_quotas', uuids => ARRAY['id'], keys => ARRAY['id'], rules => ARRAY[
    ['provider', $$upper(provider COLLATE "C") NOT IN ('OPENAI', 'ANTHROPIC', 'OLLAMA', 'CUSTOM')$$,
        'is not one of OPENAI, ANTHROPIC, OLLAMA, CUSTOM']
]);
