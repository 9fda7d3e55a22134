-- Give the table provider_quotas to the new contract.
--
-- does:    drops the view provider_quota and gives the table its name and its columns; the old name and the old columns
--          live on in a view that counts its uses; gives each function of a trigger to its table's owner, with whose
--          rights it runs
-- locks:   ACCESS EXCLUSIVE on provider_quota and provider_quotas for a few ms; gives up after 200 ms: run it again
-- cost:    no rewrite, no scan
-- undo:    instant, loses nothing
-- depends: 0312_enforce_provider_quota_not_null

CALL trueup.fix_transaction();
SET LOCAL lock_timeout = '200ms';

-- A client locks the view before its table, and so does this.
LOCK TABLE public.provider_quota IN ACCESS EXCLUSIVE MODE;
CALL trueup.require_same('public.provider_quotas', ARRAY[
    'column id NOT NULL', 'column id__new NOT NULL', 'column provider NOT NULL', 'column provider__new NOT NULL',
    'column daily_token_limit', 'column monthly_token_limit', 'column daily_cost_limit', 'column monthly_cost_limit',
    'column daily_tokens_used NOT NULL', 'column monthly_tokens_used NOT NULL', 'column daily_cost_used NOT NULL',
    'column monthly_cost_used NOT NULL', 'column daily_reset_at', 'column monthly_reset_at',
    'column created_at NOT NULL DEFAULT', 'column updated_at NOT NULL DEFAULT', 'primary key provider_quotas_pkey (id)',
    'unique index provider_quota_pkey USING btree (id__new)', 'check provider_quota_provider_check (provider__new)',
    'index provider_quotas_provider_idx USING btree (provider)',
    'index provider_quota_provider_idx USING btree (provider__new)', 'view public.provider_quota'
]);
-- Carries over what was granted or revoked on one side alone.
CALL trueup.give_grants('public.provider_quotas', 'public.provider_quotas', ARRAY[['id__new', 'id'], ['provider__new', 'provider']], since => true);
CALL trueup.give_grants('public.provider_quotas', 'public.provider_quota', ARRAY[['id__new', 'id'], ['provider__new', 'provider']], since => true);
DROP VIEW public.provider_quota;

ALTER TABLE public.provider_quotas RENAME TO provider_quota;

ALTER TABLE public.provider_quota RENAME COLUMN id TO id__old;
ALTER TABLE public.provider_quota RENAME COLUMN id__new TO id;
ALTER TABLE public.provider_quota RENAME COLUMN provider TO provider__old;
ALTER TABLE public.provider_quota RENAME COLUMN provider__new TO provider;

CALL trueup.give_grants('public.provider_quota', 'public.provider_quota', ARRAY[['id__old', 'id'], ['provider__old', 'provider']]);

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

CALL trueup.hand_over('public.provider_quota', 'provider_quota_sync_switched');
-- From here on the trigger's function is the one for these names of the columns.
CREATE OR REPLACE TRIGGER zz_trueup_sync_insert BEFORE INSERT ON public.provider_quota
FOR EACH ROW EXECUTE FUNCTION trueup.provider_quota_sync_switched();
CREATE OR REPLACE TRIGGER zz_trueup_sync_update BEFORE UPDATE ON public.provider_quota
FOR EACH ROW WHEN (
    NEW.id IS NULL
    OR (NEW.id__old, NEW.provider__old) IS DISTINCT FROM (OLD.id__old, OLD.provider__old)
    OR OLD.id IS NOT NULL AND (NEW.id, NEW.provider) IS DISTINCT FROM (OLD.id, OLD.provider)
)
EXECUTE FUNCTION trueup.provider_quota_sync_switched();
