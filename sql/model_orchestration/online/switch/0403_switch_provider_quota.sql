-- Give the table provider_quotas to the new contract.
--
-- does:    drops the view provider_quota and gives the table its name and its columns; the old name
--          and the old columns live on in a view that counts its uses
-- locks:   ACCESS EXCLUSIVE on provider_quota and provider_quotas for a few ms; gives up after 200
--          ms and can be run again
-- cost:    no rewrite, no scan
-- undo:    instant, loses nothing
-- depends: 0312_enforce_provider_quota_not_null

SET LOCAL search_path = pg_catalog;
CALL trueup.fix_settings();
SET LOCAL lock_timeout = '200ms';

-- A client locks the view before its table, and so does this.
LOCK TABLE public.provider_quota IN ACCESS EXCLUSIVE MODE;
CALL trueup.require_same('public.provider_quotas', ARRAY[
    'column id NOT NULL', 'column id__new NOT NULL', 'column provider NOT NULL',
    'column provider__new NOT NULL', 'column daily_token_limit', 'column monthly_token_limit',
    'column daily_cost_limit', 'column monthly_cost_limit', 'column daily_tokens_used NOT NULL',
    'column monthly_tokens_used NOT NULL', 'column daily_cost_used NOT NULL',
    'column monthly_cost_used NOT NULL', 'column daily_reset_at', 'column monthly_reset_at',
    'column created_at NOT NULL DEFAULT', 'column updated_at NOT NULL DEFAULT',
    'primary key provider_quotas_pkey (id)', 'unique index provider_quota_pkey (id__new)',
    'check provider_quota_provider_check (provider__new)',
    'index provider_quotas_provider_idx (provider)',
    'index provider_quota_provider_idx (provider__new)', 'view public.provider_quota'
]);
CALL trueup.carry_grants('public.provider_quotas', 'public.provider_quotas', ARRAY[['id__new', 'id'], ['provider__new', 'provider']]);
CALL trueup.carry_grants('public.provider_quotas', 'public.provider_quota', ARRAY[['id__new', 'id'], ['provider__new', 'provider']]);
DROP VIEW public.provider_quota;

ALTER TABLE public.provider_quotas RENAME TO provider_quota;

ALTER TABLE public.provider_quota RENAME COLUMN id TO id__old;
ALTER TABLE public.provider_quota RENAME COLUMN id__new TO id;
ALTER TABLE public.provider_quota RENAME COLUMN provider TO provider__old;
ALTER TABLE public.provider_quota RENAME COLUMN provider__new TO provider;

CALL trueup.copy_grants('public.provider_quota', 'public.provider_quota', ARRAY[['id__old', 'id'], ['provider__old', 'provider']]);

-- The usage counter's marker. Every query through the view reads it once, and the server counts that.
-- It is empty, as a transaction with an older snapshot would find it; and a materialized view so
-- that a dump does not read it.
CREATE MATERIALIZED VIEW trueup.provider_quotas_used AS SELECT true AS used WHERE false;

-- The compat view: the old name, the old columns in their old order.
CREATE VIEW public.provider_quotas AS
SELECT
    id__old AS id,
    provider__old AS provider,
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
FROM public.provider_quota
WHERE NOT EXISTS (SELECT FROM trueup.provider_quotas_used);

COMMENT ON VIEW public.provider_quotas IS 'What may be spent with a provider, and what was spent';
CALL trueup.copy_grants('public.provider_quotas', 'public.provider_quota', ARRAY[['id', 'id__old'], ['provider', 'provider__old']]);

CALL trueup.share_marker('trueup.provider_quotas_used', 'public.provider_quotas');
CALL trueup.read_odometer('public.provider_quotas');

-- Keeps both sides of each row equal. A value on the old side of a new row says that the old
-- contract wrote it.
CREATE OR REPLACE FUNCTION trueup.provider_quota_sync()
RETURNS trigger
LANGUAGE plpgsql
-- A client needs no right for it that it did not need before; nobody else may attach it to a table.
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF TG_OP = 'INSERT' AND NEW.id__old IS NULL THEN
        -- The new contract writes.
        NEW.id__old := NEW.id::text;
        NEW.provider__old := lower(NEW.provider COLLATE "C");
    ELSIF TG_OP = 'INSERT' OR OLD.id IS NULL THEN
        -- The old contract writes, or the backfill has not come to this row yet.
        PERFORM FROM trueup.provider_quotas_used;
        NEW.id := NEW.id__old::uuid;
        NEW.provider := upper(NEW.provider__old COLLATE "C");
    ELSE
        -- The side that changed wins; if both did, the old one.
        IF NEW.id__old IS DISTINCT FROM OLD.id__old THEN
            NEW.id := NEW.id__old::uuid;
        ELSIF NEW.id IS DISTINCT FROM OLD.id THEN
            NEW.id__old := NEW.id::text;
        END IF;
        IF NEW.provider__old IS DISTINCT FROM OLD.provider__old THEN
            NEW.provider := upper(NEW.provider__old COLLATE "C");
        ELSIF NEW.provider IS DISTINCT FROM OLD.provider THEN
            NEW.provider__old := lower(NEW.provider COLLATE "C");
        END IF;
    END IF;

    -- Two indexes guard this key, and ON CONFLICT watches one: a key that is there needs no help.
    IF TG_OP = 'INSERT' AND NOT EXISTS (SELECT FROM public.provider_quota AS t WHERE t.id = NEW.id) THEN
        PERFORM trueup.hold_key(NEW.id::text, TG_RELID);
    END IF;

    RETURN NEW;
END
$$;
