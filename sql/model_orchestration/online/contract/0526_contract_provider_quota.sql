-- Leave provider_quota with its new contract alone.
--
-- does:    drops the trigger and the old columns; gives indexes and constraints their names under the standard
-- locks:   ACCESS EXCLUSIVE on provider_quota for a few ms; gives up after 200 ms: run it again
-- cost:    no rewrite, no scan; reads the spellings that are kept
-- undo:    instant: adds the old columns behind the others, empty, with a trigger that fills what clients write; the
--          files before it fill the rest. The order of columns that the table had does not come back
-- depends: 0525_contract_provider_quota_fill

CALL trueup.fix_transaction();
SET LOCAL lock_timeout = '200ms';

-- The copy may hold rows that were deleted while it was made.
DELETE FROM trueup.provider_quota_reversal AS r
WHERE NOT EXISTS (SELECT FROM public.provider_quota AS t WHERE r.id = t.id);

LOCK TABLE public.provider_quota IN ACCESS EXCLUSIVE MODE;
CALL trueup.require_same('public.provider_quota', ARRAY[
    'column id NOT NULL', 'column provider NOT NULL', 'column daily_token_limit', 'column monthly_token_limit',
    'column daily_cost_limit', 'column monthly_cost_limit', 'column daily_tokens_used NOT NULL',
    'column monthly_tokens_used NOT NULL', 'column daily_cost_used NOT NULL', 'column monthly_cost_used NOT NULL',
    'column daily_reset_at', 'column monthly_reset_at', 'column created_at NOT NULL DEFAULT',
    'column updated_at NOT NULL DEFAULT', 'primary key provider_quota_pkey (id)',
    'check provider_quota_provider_check (provider)', 'index provider_quota_provider_idx USING btree (provider)'
], may_be => ARRAY[
    'column id__old', 'column id__old NOT NULL', 'column provider__old', 'column provider__old NOT NULL',
    'check provider_quota_filled (id__old, provider__old)'
]);

DROP TRIGGER zz_trueup_sync_update ON public.provider_quota;
DROP TRIGGER zz_trueup_sync_insert ON public.provider_quota;
-- A rollback that was broken off may have left it.
DROP FUNCTION IF EXISTS trueup.provider_quota_sync_back();

ALTER TABLE public.provider_quota DROP COLUMN id__old, DROP COLUMN provider__old;

CALL trueup.rename_not_nulls('public.provider_quota', 'provider_quota', ARRAY[
    'id', 'provider', 'daily_tokens_used', 'monthly_tokens_used', 'daily_cost_used', 'monthly_cost_used', 'created_at',
    'updated_at'
]::name[]);
