-- Undo: Leave provider_quota with its new contract alone.
--
-- does:    adds the old columns of provider_quota again, behind the others and empty: instant; gives each function of a
--          trigger to its table's owner, with whose rights it runs
-- locks:   ACCESS EXCLUSIVE on provider_quota for a few ms; gives up after 200 ms: run it again
-- cost:    no rewrite, no scan

CALL trueup.fix_transaction();
SET LOCAL lock_timeout = '200ms';

CALL trueup.tell_forgotten('trueup.provider_quota_reversal');

LOCK TABLE public.provider_quota IN ACCESS EXCLUSIVE MODE;
CALL trueup.require_same('public.provider_quota', ARRAY[
    'column id NOT NULL', 'column provider NOT NULL', 'column daily_token_limit', 'column monthly_token_limit',
    'column daily_cost_limit', 'column monthly_cost_limit', 'column daily_tokens_used NOT NULL',
    'column monthly_tokens_used NOT NULL', 'column daily_cost_used NOT NULL', 'column monthly_cost_used NOT NULL',
    'column daily_reset_at', 'column monthly_reset_at', 'column created_at NOT NULL DEFAULT',
    'column updated_at NOT NULL DEFAULT', 'primary key provider_quota_pkey (id)',
    'check provider_quota_provider_check (provider)', 'index provider_quota_provider_idx USING btree (provider)'
]);

CALL trueup.rename_not_nulls('public.provider_quota', 'provider_quotas', ARRAY[
    'daily_tokens_used', 'monthly_tokens_used', 'daily_cost_used', 'monthly_cost_used', 'created_at', 'updated_at'
]::name[]);

ALTER TABLE public.provider_quota ADD COLUMN id__old varchar(36), ADD COLUMN provider__old varchar(50);
CALL trueup.give_grants('public.provider_quota', 'public.provider_quota', ARRAY[['id__old', 'id'], ['provider__old', 'provider']]);

ALTER TABLE public.provider_quota
    ADD CONSTRAINT provider_quota_filled CHECK (id__old IS NOT NULL AND provider__old IS NOT NULL) NOT VALID;

-- Fills the old side of each row that is written meanwhile.
CREATE FUNCTION trueup.provider_quota_sync_back()
-- Whoever writes a row need not be allowed to read its parent, nor the old spellings.
RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET row_security = on AS $$
DECLARE
    is_own constant boolean := (SELECT pg_get_userbyid(c.relowner) = current_user FROM pg_class AS c WHERE c.oid = TG_RELID) OR trueup.is_own(TG_RELID);
    kept trueup.provider_quota_reversal;
BEGIN
    SELECT * INTO kept FROM trueup.provider_quota_reversal AS r WHERE r.id = NEW.id;
    NEW.id__old := coalesce(kept.id__old, NEW.id::text);
    NEW.provider__old := CASE WHEN kept.provider = NEW.provider
        THEN kept.provider__old ELSE lower(NEW.provider COLLATE "C") END;

    -- Two indexes guard this key, and ON CONFLICT watches one: a key that is there needs no help.
    IF TG_OP = 'INSERT' THEN
        IF NOT is_own OR NOT has_table_privilege('public.provider_quota', 'SELECT') THEN
            PERFORM trueup.hold_key(NEW.id::text, TG_RELID);
        ELSIF NOT EXISTS (SELECT FROM public.provider_quota AS t WHERE t.id = NEW.id) THEN
            PERFORM trueup.hold_key(NEW.id::text, TG_RELID);
        END IF;
    END IF;

    RETURN NEW;
END
$$;

CALL trueup.hand_over('public.provider_quota', 'provider_quota_sync_back');

CREATE TRIGGER zz_trueup_sync_insert BEFORE INSERT ON public.provider_quota
FOR EACH ROW EXECUTE FUNCTION trueup.provider_quota_sync_back();
CREATE TRIGGER zz_trueup_sync_update BEFORE UPDATE ON public.provider_quota
FOR EACH ROW WHEN (
    NEW.id__old IS NULL
    OR (NEW.id, NEW.provider) IS DISTINCT FROM (OLD.id, OLD.provider)
)
EXECUTE FUNCTION trueup.provider_quota_sync_back();
