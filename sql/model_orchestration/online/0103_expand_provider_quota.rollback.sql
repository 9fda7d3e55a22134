-- Undo: Give provider_quotas its new contract beside the old one.
--
-- does:    takes the new contract of provider_quotas away again: instant, loses nothing
-- locks:   ACCESS EXCLUSIVE on provider_quota and provider_quotas for a few ms; gives up after 200 ms: run it again
-- cost:    no rewrite, no scan

CALL trueup.fix_transaction();
SET LOCAL lock_timeout = '200ms';

-- A client locks the view before its table, and so does this.
LOCK TABLE public.provider_quota IN ACCESS EXCLUSIVE MODE;
CALL trueup.require_same('public.provider_quotas', ARRAY[
    'column id NOT NULL', 'column id__new', 'column provider NOT NULL', 'column provider__new',
    'column daily_token_limit', 'column monthly_token_limit', 'column daily_cost_limit', 'column monthly_cost_limit',
    'column daily_tokens_used NOT NULL', 'column monthly_tokens_used NOT NULL', 'column daily_cost_used NOT NULL',
    'column monthly_cost_used NOT NULL', 'column daily_reset_at', 'column monthly_reset_at',
    'column created_at NOT NULL DEFAULT', 'column updated_at NOT NULL DEFAULT', 'primary key provider_quotas_pkey (id)',
    'check provider_quota_provider_check (provider__new)', 'check provider_quotas_filled (id__new, provider__new)',
    'check provider_quotas_in_step (id, id__new, provider, provider__new)',
    'index provider_quotas_provider_idx USING btree (provider)', 'view public.provider_quota'
], may_be => ARRAY[
    'row level security', 'force row level security', 'policy *'
]);
CALL trueup.give_grants('public.provider_quotas', 'public.provider_quota', since => true);

DROP TRIGGER zz_trueup_sync_update ON public.provider_quotas;
DROP TRIGGER zz_trueup_sync_insert ON public.provider_quotas;
DROP FUNCTION trueup.provider_quota_sync_switched(), trueup.provider_quota_sync();
DROP VIEW public.provider_quota;

ALTER TABLE public.provider_quotas DROP COLUMN id__new, DROP COLUMN provider__new;
