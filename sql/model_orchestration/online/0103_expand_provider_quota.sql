-- Give provider_quotas its new contract beside the old one.
--
-- does:    adds id__new uuid, provider__new varchar(50), with their CHECKs as NOT VALID; shows them under the new name
--          provider_quota in a view with the same owner and grants; a trigger keeps both sides of each row equal;
--          provider_quotas keeps its name and its columns; gives each function of a trigger to its table's owner, with
--          whose rights it runs
-- locks:   ACCESS EXCLUSIVE on provider_quotas for a few ms; gives up after 200 ms: run it again
-- cost:    no rewrite, no scan
-- undo:    instant, loses nothing
-- depends: 0062_check_provider_quota 0053_toolkit_model_orchestration_usage_counter

CALL trueup.fix_transaction();
SET LOCAL lock_timeout = '200ms';

LOCK TABLE public.provider_quotas IN ACCESS EXCLUSIVE MODE;
CALL trueup.require_same('public.provider_quotas', ARRAY[
    'column id NOT NULL', 'column provider NOT NULL', 'column daily_token_limit', 'column monthly_token_limit',
    'column daily_cost_limit', 'column monthly_cost_limit', 'column daily_tokens_used NOT NULL',
    'column monthly_tokens_used NOT NULL', 'column daily_cost_used NOT NULL', 'column monthly_cost_used NOT NULL',
    'column daily_reset_at', 'column monthly_reset_at', 'column created_at NOT NULL DEFAULT',
    'column updated_at NOT NULL DEFAULT', 'primary key provider_quotas_pkey (id)',
    'index provider_quotas_provider_idx USING btree (provider)'
]);
CALL trueup.require_no_functions('public.provider_quotas');

ALTER TABLE public.provider_quotas
    ADD COLUMN id__new uuid,
    ADD COLUMN provider__new varchar(50),
    ADD CONSTRAINT provider_quota_provider_check CHECK (provider__new IN ('OPENAI', 'ANTHROPIC', 'OLLAMA', 'CUSTOM')) NOT VALID,
    ADD CONSTRAINT provider_quotas_filled CHECK (id__new IS NOT NULL AND provider__new IS NOT NULL) NOT VALID,
    ADD CONSTRAINT provider_quotas_in_step CHECK (id__new IS NOT DISTINCT FROM id::uuid AND provider__new IS NOT DISTINCT FROM upper(provider COLLATE "C")) NOT VALID;

-- Each new column gets the grants of its old one.
CALL trueup.give_grants('public.provider_quotas', 'public.provider_quotas', ARRAY[['id__new', 'id'], ['provider__new', 'provider']]);

-- Keeps both sides of each row equal. Values on the new side alone of a new row say that the new contract wrote it.
CREATE FUNCTION trueup.provider_quota_sync()
-- A client needs no right for it that it did not need before; nobody else may attach it to a table.
RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    is_own constant boolean := (SELECT pg_get_userbyid(c.relowner) = current_user FROM pg_class AS c WHERE c.oid = TG_RELID) OR trueup.is_own(TG_RELID);
    -- Whether the old contract wrote the row; null for an update of a filled row, of which each column tells.
    by_old constant boolean := CASE
        WHEN TG_OP = 'INSERT' THEN num_nonnulls(NEW.id__new, NEW.provider__new) = 0
            OR num_nonnulls(NEW.id, NEW.provider) > 0
        WHEN OLD.id__new IS NULL THEN true
    END;
BEGIN
    -- The side that changed wins; if both did, the one that has the table: only it is shown both.
    IF coalesce(by_old, NEW.id IS DISTINCT FROM OLD.id) THEN
        NEW.id__new := NEW.id::uuid;
    ELSIF coalesce(NOT by_old, NEW.id__new IS DISTINCT FROM OLD.id__new) THEN
        NEW.id := NEW.id__new::text;
    END IF;
    IF coalesce(by_old, NEW.provider IS DISTINCT FROM OLD.provider) THEN
        NEW.provider__new := upper(NEW.provider COLLATE "C");
    ELSIF coalesce(NOT by_old, NEW.provider__new IS DISTINCT FROM OLD.provider__new) THEN
        NEW.provider := lower(NEW.provider__new COLLATE "C");
    END IF;

    -- Two indexes guard this key, and ON CONFLICT watches one: a key that is there needs no help.
    IF TG_OP = 'INSERT' THEN
        IF NOT is_own OR NOT has_table_privilege('public.provider_quotas', 'SELECT') THEN
            PERFORM trueup.hold_key(NEW.id__new::text, TG_RELID);
        ELSIF NOT EXISTS (SELECT FROM public.provider_quotas AS t WHERE t.id = NEW.id) THEN
            PERFORM trueup.hold_key(NEW.id__new::text, TG_RELID);
        END IF;
    END IF;

    RETURN NEW;
END
$$;

-- The same from the switch on, under the names that the columns have then; here values on the old side alone say that
-- the old contract wrote a new row. It stays beyond contract, for the way back.
CREATE FUNCTION trueup.provider_quota_sync_switched()
-- A client needs no right for it that it did not need before; nobody else may attach it to a table.
RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    is_own constant boolean := (SELECT pg_get_userbyid(c.relowner) = current_user FROM pg_class AS c WHERE c.oid = TG_RELID) OR trueup.is_own(TG_RELID);
    -- Whether the old contract wrote the row; null for an update of a filled row, of which each column tells.
    by_old constant boolean := CASE
        WHEN TG_OP = 'INSERT' THEN num_nonnulls(NEW.id__old, NEW.provider__old) > 0
            AND (NOT (num_nonnulls(NEW.id, NEW.provider) > 0)
            OR NEW.id IS NOT DISTINCT FROM NEW.id__old::uuid AND NEW.provider IS NOT DISTINCT FROM upper(NEW.provider__old COLLATE "C"))
        WHEN OLD.id IS NULL THEN true
    END;
BEGIN
    IF by_old THEN
        PERFORM FROM trueup.provider_quotas_used;
    END IF;
    -- The side that changed wins; if both did, the one that has the table: only it is shown both.
    IF coalesce(NOT by_old, NEW.id IS DISTINCT FROM OLD.id) THEN
        NEW.id__old := NEW.id::text;
    ELSIF coalesce(by_old, NEW.id__old IS DISTINCT FROM OLD.id__old) THEN
        NEW.id := NEW.id__old::uuid;
    END IF;
    IF coalesce(NOT by_old, NEW.provider IS DISTINCT FROM OLD.provider) THEN
        NEW.provider__old := lower(NEW.provider COLLATE "C");
    ELSIF coalesce(by_old, NEW.provider__old IS DISTINCT FROM OLD.provider__old) THEN
        NEW.provider := upper(NEW.provider__old COLLATE "C");
    END IF;

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

CALL trueup.hand_over('public.provider_quotas', 'provider_quota_sync', 'provider_quota_sync_switched');

-- Their names make them fire after the service's own triggers.
CREATE TRIGGER zz_trueup_sync_insert BEFORE INSERT ON public.provider_quotas
FOR EACH ROW EXECUTE FUNCTION trueup.provider_quota_sync();

-- Silent for the backfill, and for updates of other columns; but a row that a client moves before
-- the backfill comes to it is converted at once, or the backfill would never meet it.
CREATE TRIGGER zz_trueup_sync_update BEFORE UPDATE ON public.provider_quotas
FOR EACH ROW WHEN (
    NEW.id__new IS NULL
    OR (NEW.id, NEW.provider) IS DISTINCT FROM (OLD.id, OLD.provider)
    OR OLD.id__new IS NOT NULL AND (NEW.id__new, NEW.provider__new) IS DISTINCT FROM (OLD.id__new, OLD.provider__new)
)
EXECUTE FUNCTION trueup.provider_quota_sync();

-- The new view: the new name, the new columns. Until the switch the new release uses it.
CREATE VIEW public.provider_quota AS
SELECT
    id__new AS id, provider__new AS provider, daily_token_limit, monthly_token_limit, daily_cost_limit,
    monthly_cost_limit, daily_tokens_used, monthly_tokens_used, daily_cost_used, monthly_cost_used, daily_reset_at,
    monthly_reset_at, created_at, updated_at
FROM public.provider_quotas;

COMMENT ON VIEW public.provider_quota IS 'What may be spent with a provider, and what was spent';
CALL trueup.give_grants('public.provider_quota', 'public.provider_quotas', ARRAY[['id', 'id__new'], ['provider', 'provider__new']]);
