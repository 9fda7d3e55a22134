-- Give models its new contract beside the old one.
--
-- does:    adds id__new uuid, provider__new varchar(50), capabilities__new varchar[], status__new varchar(50), with
--          their CHECKs as NOT VALID; shows them under the new name model in a view with the same owner and grants; a
--          trigger keeps both sides of each row equal; models keeps its name and its columns; gives each function of a
--          trigger to its table's owner, with whose rights it runs
-- locks:   ACCESS EXCLUSIVE on models for a few ms; gives up after 200 ms: run it again
-- cost:    no rewrite, no scan
-- undo:    instant, loses nothing
-- depends: 0061_check_model_and_request 0053_toolkit_model_orchestration_usage_counter

CALL trueup.fix_transaction();
SET LOCAL lock_timeout = '200ms';

LOCK TABLE public.models IN ACCESS EXCLUSIVE MODE;
CALL trueup.require_same('public.models', ARRAY[
    'column id NOT NULL', 'column model_id NOT NULL', 'column provider NOT NULL', 'column display_name',
    'column description', 'column capabilities NOT NULL', 'column status NOT NULL DEFAULT', 'column max_tokens',
    'column token_limit', 'column cost_per_token', 'column configuration', 'column model_metadata',
    'column created_at NOT NULL DEFAULT', 'column updated_at NOT NULL DEFAULT', 'unique models_model_id_key (model_id)',
    'primary key models_pkey (id)'
]);
CALL trueup.require_no_functions('public.models');

ALTER TABLE public.models
    ADD COLUMN id__new uuid,
    ADD COLUMN provider__new varchar(50),
    ADD COLUMN capabilities__new varchar[],
    ADD COLUMN status__new varchar(50),
    ADD CONSTRAINT model_provider_check CHECK (provider__new IN ('OPENAI', 'ANTHROPIC', 'OLLAMA', 'CUSTOM')) NOT VALID,
    ADD CONSTRAINT model_capabilities_check CHECK (capabilities__new <@ ARRAY['CHAT', 'COMPLETION', 'EMBEDDING', 'IMAGE_GENERATION', 'AUDIO_TRANSCRIPTION', 'AUDIO_TRANSLATION']::varchar[]) NOT VALID,
    ADD CONSTRAINT model_status_check CHECK (status__new IN ('ACTIVE', 'INACTIVE', 'DEPRECATED')) NOT VALID,
    ADD CONSTRAINT models_filled CHECK (id__new IS NOT NULL AND provider__new IS NOT NULL AND capabilities__new IS NOT NULL AND status__new IS NOT NULL) NOT VALID,
    ADD CONSTRAINT models_in_step CHECK (id__new IS NOT DISTINCT FROM id::uuid AND provider__new IS NOT DISTINCT FROM upper(provider COLLATE "C") AND capabilities__new IS NOT DISTINCT FROM upper(capabilities::text COLLATE "C")::varchar[] AND status__new IS NOT DISTINCT FROM upper(status COLLATE "C")) NOT VALID;

COMMENT ON COLUMN public.models.status__new IS 'Whether requests may be routed to the model';
-- Each new column gets the grants of its old one.
CALL trueup.give_grants('public.models', 'public.models', ARRAY[['id__new', 'id'], ['provider__new', 'provider'], ['capabilities__new', 'capabilities'], ['status__new', 'status']]);

-- Where references find how a key is spelled. A view follows renames: the switch leaves its names.
CREATE VIEW trueup.model_sides AS SELECT id AS id__old, id__new AS id FROM public.models;
CALL trueup.keep_private('model_sides');
CALL trueup.share();

-- Keeps both sides of each row equal. Values on the new side alone of a new row say that the new contract wrote it.
CREATE FUNCTION trueup.model_sync()
-- A client needs no right for it that it did not need before; nobody else may attach it to a table.
RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    is_own constant boolean := (SELECT pg_get_userbyid(c.relowner) = current_user FROM pg_class AS c WHERE c.oid = TG_RELID) OR trueup.is_own(TG_RELID);
    -- Whether the old contract wrote the row; null for an update of a filled row, of which each column tells.
    by_old constant boolean := CASE
        WHEN TG_OP = 'INSERT' THEN num_nonnulls(NEW.id__new, NEW.provider__new, NEW.capabilities__new, NEW.status__new) = 0
            OR num_nonnulls(NEW.id, NEW.provider, NEW.capabilities) > 0
            OR NEW.status IS DISTINCT FROM 'active'
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
    IF coalesce(by_old, NEW.capabilities IS DISTINCT FROM OLD.capabilities) THEN
        NEW.capabilities__new := upper(NEW.capabilities::text COLLATE "C")::varchar[];
    ELSIF coalesce(NOT by_old, NEW.capabilities__new IS DISTINCT FROM OLD.capabilities__new) THEN
        NEW.capabilities := lower(NEW.capabilities__new::text COLLATE "C")::varchar[];
    END IF;
    IF coalesce(by_old, NEW.status IS DISTINCT FROM OLD.status) THEN
        NEW.status__new := upper(NEW.status COLLATE "C");
    ELSIF coalesce(NOT by_old, NEW.status__new IS DISTINCT FROM OLD.status__new) THEN
        NEW.status := lower(NEW.status__new COLLATE "C");
    END IF;

    -- Two indexes guard this key, and ON CONFLICT watches one: a key that is there needs no help.
    IF TG_OP = 'INSERT' THEN
        IF NOT is_own OR NOT has_table_privilege('public.models', 'SELECT') THEN
            PERFORM trueup.hold_key(NEW.id__new::text, TG_RELID);
        ELSIF NOT EXISTS (SELECT FROM public.models AS t WHERE t.id = NEW.id) THEN
            PERFORM trueup.hold_key(NEW.id__new::text, TG_RELID);
        END IF;
    END IF;

    RETURN NEW;
END
$$;

-- The same from the switch on, under the names that the columns have then; here values on the old side alone say that
-- the old contract wrote a new row. It stays beyond contract, for the way back.
CREATE FUNCTION trueup.model_sync_switched()
-- A client needs no right for it that it did not need before; nobody else may attach it to a table.
RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    is_own constant boolean := (SELECT pg_get_userbyid(c.relowner) = current_user FROM pg_class AS c WHERE c.oid = TG_RELID) OR trueup.is_own(TG_RELID);
    -- Whether the old contract wrote the row; null for an update of a filled row, of which each column tells.
    by_old constant boolean := CASE
        WHEN TG_OP = 'INSERT' THEN num_nonnulls(NEW.id__old, NEW.provider__old, NEW.capabilities__old, NEW.status__old) > 0
            AND (NOT (num_nonnulls(NEW.id, NEW.provider, NEW.capabilities) > 0 OR NEW.status IS DISTINCT FROM 'ACTIVE')
            OR NEW.id IS NOT DISTINCT FROM NEW.id__old::uuid AND NEW.provider IS NOT DISTINCT FROM upper(NEW.provider__old COLLATE "C") AND NEW.capabilities IS NOT DISTINCT FROM upper(NEW.capabilities__old::text COLLATE "C")::varchar[] AND NEW.status IS NOT DISTINCT FROM upper(NEW.status__old COLLATE "C"))
        WHEN OLD.id IS NULL THEN true
    END;
BEGIN
    IF by_old THEN
        PERFORM FROM trueup.models_used;
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
    IF coalesce(NOT by_old, NEW.capabilities IS DISTINCT FROM OLD.capabilities) THEN
        NEW.capabilities__old := lower(NEW.capabilities::text COLLATE "C")::varchar[];
    ELSIF coalesce(by_old, NEW.capabilities__old IS DISTINCT FROM OLD.capabilities__old) THEN
        NEW.capabilities := upper(NEW.capabilities__old::text COLLATE "C")::varchar[];
    END IF;
    IF coalesce(NOT by_old, NEW.status IS DISTINCT FROM OLD.status) THEN
        NEW.status__old := lower(NEW.status COLLATE "C");
    ELSIF coalesce(by_old, NEW.status__old IS DISTINCT FROM OLD.status__old) THEN
        NEW.status := upper(NEW.status__old COLLATE "C");
    END IF;

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

CALL trueup.hand_over('public.models', 'model_sync', 'model_sync_switched');

-- Their names make them fire after the service's own triggers.
CREATE TRIGGER zz_trueup_sync_insert BEFORE INSERT ON public.models
FOR EACH ROW EXECUTE FUNCTION trueup.model_sync();

-- Silent for the backfill, and for updates of other columns; but a row that a client moves before
-- the backfill comes to it is converted at once, or the backfill would never meet it.
CREATE TRIGGER zz_trueup_sync_update BEFORE UPDATE ON public.models
FOR EACH ROW WHEN (
    NEW.id__new IS NULL
    OR (NEW.id, NEW.provider, NEW.capabilities, NEW.status) IS DISTINCT FROM (OLD.id, OLD.provider, OLD.capabilities, OLD.status)
    OR OLD.id__new IS NOT NULL AND (NEW.id__new, NEW.provider__new, NEW.capabilities__new, NEW.status__new) IS DISTINCT FROM (OLD.id__new, OLD.provider__new, OLD.capabilities__new, OLD.status__new)
)
EXECUTE FUNCTION trueup.model_sync();

-- The new view: the new name, the new columns. Until the switch the new release uses it.
CREATE VIEW public.model AS
SELECT
    id__new AS id, model_id, provider__new AS provider, display_name, description, capabilities__new AS capabilities,
    status__new AS status, max_tokens, token_limit, cost_per_token, configuration, model_metadata, created_at,
    updated_at
FROM public.models;

ALTER VIEW public.model ALTER COLUMN status SET DEFAULT 'ACTIVE';
COMMENT ON VIEW public.model IS 'The models that a request can be routed to';
COMMENT ON COLUMN public.model.model_id IS 'The name that callers use, such as gpt-4';
COMMENT ON COLUMN public.model.status IS 'Whether requests may be routed to the model';
CALL trueup.give_grants('public.model', 'public.models', ARRAY[['id', 'id__new'], ['provider', 'provider__new'], ['capabilities', 'capabilities__new'], ['status', 'status__new']]);
