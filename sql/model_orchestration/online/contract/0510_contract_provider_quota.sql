-- Leave provider_quota with its new contract alone.
--
-- does:    drops the trigger and the old columns, makes the unique index the primary key, gives
--          indexes and constraints their names under the standard
-- locks:   ACCESS EXCLUSIVE on provider_quota for a few ms; gives up after 200 ms and can be run
--          again
-- cost:    no rewrite, no scan
-- undo:    makes the old columns again in their old order: one rewrite of the table under ACCESS
--          EXCLUSIVE, and the foreign keys to it are proven again, so plan a window
-- depends: 0509_contract_provider_quota_reversal

SET LOCAL lock_timeout = '200ms';

DROP TRIGGER zz_trueup_sync_update ON public.provider_quota;
DROP TRIGGER zz_trueup_sync_insert ON public.provider_quota;
DROP FUNCTION trueup.provider_quota_sync();

ALTER TABLE public.provider_quota
    DROP CONSTRAINT provider_quotas_pkey,
    ADD CONSTRAINT provider_quota_pkey PRIMARY KEY USING INDEX provider_quota_pkey;

ALTER TABLE public.provider_quota
    DROP COLUMN id__old,
    DROP COLUMN provider__old;

CALL trueup.name_not_nulls(
    'public.provider_quota',
    'provider_quota',
    ARRAY['id', 'provider', 'daily_tokens_used', 'monthly_tokens_used', 'daily_cost_used', 'monthly_cost_used', 'created_at', 'updated_at']::name[]
);
