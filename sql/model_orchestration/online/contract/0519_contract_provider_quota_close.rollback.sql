-- Undo: Take the old name provider_quotas away, once nobody uses it.
--
-- does:    brings the old name provider_quotas back: instant
-- locks:   ACCESS EXCLUSIVE on provider_quota for a few ms; gives up after 200 ms: run it again
-- cost:    no rewrite, no scan

CALL trueup.fix_transaction();
SET LOCAL lock_timeout = '200ms';

DROP TRIGGER IF EXISTS zz_trueup_forget_all ON public.provider_quota;
DROP TRIGGER IF EXISTS zz_trueup_forget ON public.provider_quota;
DROP FUNCTION IF EXISTS trueup.provider_quota_forget();

-- The usage counter's marker: the server counts that each query through the view reads it once. It is empty,
-- as an older snapshot would find it; and a materialized view, which a dump does not read.
CREATE MATERIALIZED VIEW trueup.provider_quotas_used AS SELECT true AS used WHERE false;

-- The compat view: the old name, the old columns in their old order.
CREATE VIEW public.provider_quotas AS
SELECT
    id__old AS id, provider__old AS provider, daily_token_limit, monthly_token_limit, daily_cost_limit,
    monthly_cost_limit, daily_tokens_used, monthly_tokens_used, daily_cost_used, monthly_cost_used, daily_reset_at,
    monthly_reset_at, created_at, updated_at
FROM public.provider_quota
WHERE NOT EXISTS (SELECT FROM trueup.provider_quotas_used);

COMMENT ON VIEW public.provider_quotas IS 'What may be spent with a provider, and what was spent';
CALL trueup.give_grants('public.provider_quotas', 'public.provider_quota', ARRAY[['id', 'id__old'], ['provider', 'provider__old']]);

CALL trueup.share_marker('trueup.provider_quotas_used', 'public.provider_quotas');
CALL trueup.read_odometer('public.provider_quotas');
