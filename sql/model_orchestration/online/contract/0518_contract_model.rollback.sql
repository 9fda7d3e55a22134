-- Undo: Leave model with its new contract alone.
--
-- does:    adds the old columns of model again, behind the others and empty: instant; gives each function of a trigger
--          to its table's owner, with whose rights it runs
-- locks:   ACCESS EXCLUSIVE on model for a few ms; gives up after 200 ms: run it again
-- cost:    no rewrite, no scan

CALL trueup.fix_transaction();
SET LOCAL lock_timeout = '200ms';

CALL trueup.tell_forgotten('trueup.model_reversal');

LOCK TABLE public.model IN ACCESS EXCLUSIVE MODE;
CALL trueup.require_same('public.model', ARRAY[
    'column id NOT NULL', 'column model_id NOT NULL', 'column provider NOT NULL', 'column display_name',
    'column description', 'column capabilities NOT NULL', 'column status NOT NULL DEFAULT', 'column max_tokens',
    'column token_limit', 'column cost_per_token', 'column configuration', 'column model_metadata',
    'column created_at NOT NULL DEFAULT', 'column updated_at NOT NULL DEFAULT', 'unique model_model_id_key (model_id)',
    'primary key model_pkey (id)', 'check model_provider_check (provider)',
    'check model_capabilities_check (capabilities)', 'check model_status_check (status)'
]);

ALTER INDEX public.model_model_id_key RENAME TO models_model_id_key;
CALL trueup.rename_not_nulls('public.model', 'models', ARRAY['model_id', 'created_at', 'updated_at']::name[]);

ALTER TABLE public.model
    ADD COLUMN id__old varchar(36), ADD COLUMN provider__old varchar(50), ADD COLUMN capabilities__old varchar[],
    ADD COLUMN status__old varchar(50);
COMMENT ON COLUMN public.model.status__old IS 'Whether requests may be routed to the model';
CALL trueup.give_grants('public.model', 'public.model', ARRAY[['id__old', 'id'], ['provider__old', 'provider'], ['capabilities__old', 'capabilities'], ['status__old', 'status']]);

-- Where references find how a key is spelled. A view follows renames: the switch leaves its names.
CREATE VIEW trueup.model_sides AS SELECT id__old AS id__old, id AS id FROM public.model;
CALL trueup.keep_private('model_sides');
CALL trueup.share();

ALTER TABLE public.model
    ADD CONSTRAINT model_filled CHECK (id__old IS NOT NULL AND provider__old IS NOT NULL AND capabilities__old IS NOT NULL AND status__old IS NOT NULL) NOT VALID;

-- Fills the old side of each row that is written meanwhile.
CREATE FUNCTION trueup.model_sync_back()
-- Whoever writes a row need not be allowed to read its parent, nor the old spellings.
RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET row_security = on AS $$
DECLARE
    is_own constant boolean := (SELECT pg_get_userbyid(c.relowner) = current_user FROM pg_class AS c WHERE c.oid = TG_RELID) OR trueup.is_own(TG_RELID);
    kept trueup.model_reversal;
BEGIN
    SELECT * INTO kept FROM trueup.model_reversal AS r WHERE r.id = NEW.id;
    NEW.id__old := coalesce(kept.id__old, NEW.id::text);
    NEW.provider__old := CASE WHEN kept.provider = NEW.provider
        THEN kept.provider__old ELSE lower(NEW.provider COLLATE "C") END;
    NEW.capabilities__old := CASE WHEN kept.capabilities = NEW.capabilities
        THEN kept.capabilities__old ELSE lower(NEW.capabilities::text COLLATE "C")::varchar[] END;
    NEW.status__old := CASE WHEN kept.status = NEW.status
        THEN kept.status__old ELSE lower(NEW.status COLLATE "C") END;

    -- Two indexes guard this key, and ON CONFLICT watches one: a key that is there needs no help.
    IF TG_OP = 'INSERT' THEN
        IF NOT is_own OR NOT has_table_privilege('public.model', 'SELECT') THEN
            PERFORM trueup.hold_key(NEW.id::text, TG_RELID);
        ELSIF NOT EXISTS (SELECT FROM public.model AS t WHERE t.id = NEW.id) THEN
            PERFORM trueup.hold_key(NEW.id::text, TG_RELID);
        END IF;
    END IF;

    RETURN NEW;
END
$$;

CALL trueup.hand_over('public.model', 'model_sync_back');

CREATE TRIGGER zz_trueup_sync_insert BEFORE INSERT ON public.model
FOR EACH ROW EXECUTE FUNCTION trueup.model_sync_back();
CREATE TRIGGER zz_trueup_sync_update BEFORE UPDATE ON public.model
FOR EACH ROW WHEN (
    NEW.id__old IS NULL
    OR (NEW.id, NEW.provider, NEW.capabilities, NEW.status) IS DISTINCT FROM (OLD.id, OLD.provider, OLD.capabilities, OLD.status)
)
EXECUTE FUNCTION trueup.model_sync_back();
