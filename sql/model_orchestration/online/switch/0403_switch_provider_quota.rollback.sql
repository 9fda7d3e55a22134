-- Undo: Give the table provider_quotas to the new contract.
--
-- does:    gives the table back to the old contract as provider_quotas: instant, loses nothing
-- locks:   ACCESS EXCLUSIVE on provider_quota and provider_quotas for a few ms; gives up after 200
--          ms and can be run again
-- cost:    no rewrite, no scan
-- undo:    apply 0403_switch_provider_quota again: no rewrite, no scan

SET LOCAL search_path = pg_catalog;
CALL trueup.fix_settings();
SET LOCAL lock_timeout = '200ms';

-- A client locks the view before its table, and so does this.
LOCK TABLE public.provider_quotas IN ACCESS EXCLUSIVE MODE;
CALL trueup.require_same('public.provider_quota', ARRAY[
    'column id__old NOT NULL', 'column id NOT NULL', 'column provider__old NOT NULL',
    'column provider NOT NULL', 'column daily_token_limit', 'column monthly_token_limit',
    'column daily_cost_limit', 'column monthly_cost_limit', 'column daily_tokens_used NOT NULL',
    'column monthly_tokens_used NOT NULL', 'column daily_cost_used NOT NULL',
    'column monthly_cost_used NOT NULL', 'column daily_reset_at', 'column monthly_reset_at',
    'column created_at NOT NULL DEFAULT', 'column updated_at NOT NULL DEFAULT',
    'primary key provider_quotas_pkey (id__old)', 'unique index provider_quota_pkey (id)',
    'check provider_quota_provider_check (provider)',
    'index provider_quotas_provider_idx (provider__old)',
    'index provider_quota_provider_idx (provider)', 'view public.provider_quotas'
]);
CALL trueup.carry_grants('public.provider_quota', 'public.provider_quota', ARRAY[['id__old', 'id'], ['provider__old', 'provider']]);
CALL trueup.carry_grants('public.provider_quota', 'public.provider_quotas', ARRAY[['id__old', 'id'], ['provider__old', 'provider']]);
DROP VIEW public.provider_quotas;
DROP MATERIALIZED VIEW trueup.provider_quotas_used;
DELETE FROM trueup.odometer WHERE compat_view = 'public.provider_quotas';

ALTER TABLE public.provider_quota RENAME COLUMN id TO id__new;
ALTER TABLE public.provider_quota RENAME COLUMN id__old TO id;
ALTER TABLE public.provider_quota RENAME COLUMN provider TO provider__new;
ALTER TABLE public.provider_quota RENAME COLUMN provider__old TO provider;

ALTER TABLE public.provider_quota RENAME TO provider_quotas;

CALL trueup.copy_grants('public.provider_quotas', 'public.provider_quotas', ARRAY[['id__new', 'id'], ['provider__new', 'provider']]);

-- The new view: the new name, the new columns. Until the switch the new release uses it.
CREATE VIEW public.provider_quota AS
SELECT
    id__new AS id,
    provider__new AS provider,
    daily_token_limit,
    monthly_token_limit,
    daily_cost_limit,
    monthly_cost_limit,
    daily_tokens_used,
    monthly_tokens_used,
    daily_cost_used,
    monthly_cost_used,
    daily_reset_at,
    monthly_reset_at,
    created_at,
    updated_at
FROM public.provider_quotas;

COMMENT ON VIEW public.provider_quota IS 'What may be spent with a provider, and what was spent';
CALL trueup.copy_grants('public.provider_quota', 'public.provider_quotas', ARRAY[['id', 'id__new'], ['provider', 'provider__new']]);

-- Keeps both sides of each row equal. A value on the new side of a new row says that the new
-- contract wrote it.
CREATE OR REPLACE FUNCTION trueup.provider_quota_sync()
RETURNS trigger
LANGUAGE plpgsql
-- A client needs no right for it that it did not need before; nobody else may attach it to a table.
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF TG_OP = 'INSERT' AND NEW.id__new IS NOT NULL THEN
        -- The new contract writes.
        NEW.id := NEW.id__new::text;
        NEW.provider := lower(NEW.provider__new COLLATE "C");
    ELSIF TG_OP = 'INSERT' OR OLD.id__new IS NULL THEN
        -- The old contract writes, or the backfill has not come to this row yet.
        NEW.id__new := NEW.id::uuid;
        NEW.provider__new := upper(NEW.provider COLLATE "C");
    ELSE
        -- The side that changed wins; if both did, the old one.
        IF NEW.id IS DISTINCT FROM OLD.id THEN
            NEW.id__new := NEW.id::uuid;
        ELSIF NEW.id__new IS DISTINCT FROM OLD.id__new THEN
            NEW.id := NEW.id__new::text;
        END IF;
        IF NEW.provider IS DISTINCT FROM OLD.provider THEN
            NEW.provider__new := upper(NEW.provider COLLATE "C");
        ELSIF NEW.provider__new IS DISTINCT FROM OLD.provider__new THEN
            NEW.provider := lower(NEW.provider__new COLLATE "C");
        END IF;
    END IF;

    -- Two indexes guard this key, and ON CONFLICT watches one: a key that is there needs no help.
    IF TG_OP = 'INSERT' AND NOT EXISTS (SELECT FROM public.provider_quotas AS t WHERE t.id = NEW.id) THEN
        PERFORM trueup.hold_key(NEW.id__new::text, TG_RELID);
    END IF;

    RETURN NEW;
END
$$;
