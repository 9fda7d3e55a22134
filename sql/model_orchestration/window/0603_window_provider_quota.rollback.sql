-- Undo: Turn provider_quotas into provider_quota in one go.
--
-- does:    turns provider_quota back into provider_quotas, byte for byte
-- locks:   ACCESS EXCLUSIVE on provider_quota until it is done; gives up after 200 ms when it cannot have it
-- cost:    rewrites provider_quota and its indexes once; writes rows of provider_quota

CALL trueup.fix_transaction();
SET LOCAL lock_timeout = '200ms';
-- The window is as long as its index builds, and these are the faster the less they spill to disk.
SET LOCAL maintenance_work_mem = '1GB';
SET LOCAL max_parallel_maintenance_workers = 4;

LOCK TABLE public.provider_quota IN ACCESS EXCLUSIVE MODE;

CALL trueup.require_same('public.provider_quota', ARRAY[
    'column id NOT NULL', 'column provider NOT NULL', 'column daily_token_limit', 'column monthly_token_limit',
    'column daily_cost_limit', 'column monthly_cost_limit', 'column daily_tokens_used NOT NULL',
    'column monthly_tokens_used NOT NULL', 'column daily_cost_used NOT NULL', 'column monthly_cost_used NOT NULL',
    'column daily_reset_at', 'column monthly_reset_at', 'column created_at NOT NULL DEFAULT',
    'column updated_at NOT NULL DEFAULT', 'primary key provider_quota_pkey (id)',
    'check provider_quota_provider_check (provider)', 'index provider_quota_provider_idx USING btree (provider)'
]);

CALL trueup.tell_forgotten('trueup.provider_quota_reversal');
DROP TRIGGER IF EXISTS zz_trueup_forget_all ON public.provider_quota;
DROP TRIGGER IF EXISTS zz_trueup_forget ON public.provider_quota;
DROP FUNCTION IF EXISTS trueup.provider_quota_forget();

ALTER INDEX public.provider_quota_pkey RENAME TO provider_quotas_pkey;
ALTER INDEX public.provider_quota_provider_idx RENAME TO provider_quotas_provider_idx;
CALL trueup.rename_not_nulls('public.provider_quota', 'provider_quotas', ARRAY[
    'id', 'provider', 'daily_tokens_used', 'monthly_tokens_used', 'daily_cost_used', 'monthly_cost_used', 'created_at',
    'updated_at'
]::name[]);

ALTER TABLE public.provider_quota RENAME TO provider_quotas;

-- One rewrite of provider_quotas; every index is built once.
ALTER TABLE public.provider_quotas
    DROP CONSTRAINT provider_quota_provider_check,
    ALTER COLUMN id TYPE varchar(36) USING id::text,
    ALTER COLUMN provider TYPE varchar(50) USING lower(provider COLLATE "C");

-- The spellings that cannot be derived, where the value is still the same.
UPDATE public.provider_quotas AS t
SET
    id = CASE WHEN t.id IS NOT DISTINCT FROM r.id::text
        THEN r.id__old ELSE t.id END,
    provider = CASE WHEN t.provider IS NOT DISTINCT FROM lower(r.provider COLLATE "C")
        THEN r.provider__old ELSE t.provider END
FROM trueup.provider_quota_reversal AS r
WHERE t.id = r.id::text;

DROP TABLE trueup.provider_quota_reversal;
