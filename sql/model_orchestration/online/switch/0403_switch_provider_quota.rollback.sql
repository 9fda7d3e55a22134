-- Undo: Give the table provider_quotas to the new contract.
--
-- does:    gives the table back to the old contract as provider_quotas: instant, loses nothing; gives each function of
--          a trigger to its table's owner, with whose rights it runs
-- locks:   ACCESS EXCLUSIVE on provider_quota and provider_quotas for a few ms; gives up after 200 ms: run it again
-- cost:    no rewrite, no scan

CALL trueup.fix_transaction();
SET LOCAL lock_timeout = '200ms';

-- A client locks the view before its table, and so does this.
LOCK TABLE public.provider_quotas IN ACCESS EXCLUSIVE MODE;
CALL trueup.require_same('public.provider_quota', ARRAY[
    'column id__old NOT NULL', 'column id NOT NULL', 'column provider__old NOT NULL', 'column provider NOT NULL',
    'column daily_token_limit', 'column monthly_token_limit', 'column daily_cost_limit', 'column monthly_cost_limit',
    'column daily_tokens_used NOT NULL', 'column monthly_tokens_used NOT NULL', 'column daily_cost_used NOT NULL',
    'column monthly_cost_used NOT NULL', 'column daily_reset_at', 'column monthly_reset_at',
    'column created_at NOT NULL DEFAULT', 'column updated_at NOT NULL DEFAULT',
    'primary key provider_quotas_pkey (id__old)', 'unique index provider_quota_pkey USING btree (id)',
    'check provider_quota_provider_check (provider)', 'index provider_quotas_provider_idx USING btree (provider__old)',
    'index provider_quota_provider_idx USING btree (provider)', 'view public.provider_quotas'
], may_be => ARRAY[
    'row level security', 'force row level security', 'policy *'
]);
-- Carries over what was granted or revoked on one side alone.
CALL trueup.give_grants('public.provider_quota', 'public.provider_quota', ARRAY[['id__old', 'id'], ['provider__old', 'provider']], since => true);
CALL trueup.give_grants('public.provider_quota', 'public.provider_quotas', ARRAY[['id__old', 'id'], ['provider__old', 'provider']], since => true);
DROP VIEW public.provider_quotas;
DROP MATERIALIZED VIEW trueup.provider_quotas_used;
DELETE FROM trueup.odometer WHERE compat_view = 'public.provider_quotas';

ALTER TABLE public.provider_quota RENAME COLUMN provider TO provider__new;
ALTER TABLE public.provider_quota RENAME COLUMN provider__old TO provider;
ALTER TABLE public.provider_quota RENAME COLUMN id TO id__new;
ALTER TABLE public.provider_quota RENAME COLUMN id__old TO id;

ALTER TABLE public.provider_quota RENAME TO provider_quotas;

CALL trueup.give_grants('public.provider_quotas', 'public.provider_quotas', ARRAY[['id__new', 'id'], ['provider__new', 'provider']]);

-- The new view: the new name, the new columns. Until the switch the new release uses it.
CREATE VIEW public.provider_quota AS
SELECT
    id__new AS id, provider__new AS provider, daily_token_limit, monthly_token_limit, daily_cost_limit,
    monthly_cost_limit, daily_tokens_used, monthly_tokens_used, daily_cost_used, monthly_cost_used, daily_reset_at,
    monthly_reset_at, created_at, updated_at
FROM public.provider_quotas;

COMMENT ON VIEW public.provider_quota IS 'What may be spent with a provider, and what was spent';
CALL trueup.give_grants('public.provider_quota', 'public.provider_quotas', ARRAY[['id', 'id__new'], ['provider', 'provider__new']]);

CALL trueup.hand_over('public.provider_quotas', 'provider_quota_sync');
-- From here on the trigger's function is the one for these names of the columns.
CREATE OR REPLACE TRIGGER zz_trueup_sync_insert BEFORE INSERT ON public.provider_quotas
FOR EACH ROW EXECUTE FUNCTION trueup.provider_quota_sync();
CREATE OR REPLACE TRIGGER zz_trueup_sync_update BEFORE UPDATE ON public.provider_quotas
FOR EACH ROW WHEN (
    NEW.id__new IS NULL
    OR (NEW.id, NEW.provider) IS DISTINCT FROM (OLD.id, OLD.provider)
    OR OLD.id__new IS NOT NULL AND (NEW.id__new, NEW.provider__new) IS DISTINCT FROM (OLD.id__new, OLD.provider__new)
)
EXECUTE FUNCTION trueup.provider_quota_sync();
