-- Give requests its new contract beside the old one.
--
-- does:    adds id__new uuid, request_type__new varchar(50), model_id__new uuid, provider__new varchar(50), with their
--          CHECKs as NOT VALID; shows them under the new name request in a view with the same owner and grants; a
--          trigger keeps both sides of each row equal; requests keeps its name and its columns; gives each function of
--          a trigger to its table's owner, with whose rights it runs
-- locks:   ACCESS EXCLUSIVE on requests for a few ms; gives up after 200 ms: run it again
-- cost:    no rewrite, no scan
-- undo:    instant, loses nothing
-- depends: 0061_check_model_and_request 0053_toolkit_model_orchestration_usage_counter

CALL trueup.fix_transaction();
SET LOCAL lock_timeout = '200ms';

LOCK TABLE public.requests IN ACCESS EXCLUSIVE MODE;
CALL trueup.require_same('public.requests', ARRAY[
    'column id NOT NULL', 'column request_id NOT NULL', 'column request_type NOT NULL', 'column model_id NOT NULL',
    'column provider NOT NULL', 'column user_id', 'column project_id', 'column task_id', 'column request_data NOT NULL',
    'column response_data', 'column prompt_tokens', 'column completion_tokens', 'column total_tokens',
    'column latency_ms', 'column cost', 'column success NOT NULL', 'column error_message', 'column error_code',
    'column created_at NOT NULL DEFAULT', 'column completed_at', 'foreign key requests_model_id_fkey (model_id)',
    'primary key requests_pkey (id)', 'unique requests_request_id_key (request_id)',
    'index requests_created_at_idx USING btree (created_at)', 'index requests_model_id_idx USING btree (model_id)',
    'index requests_provider_success_idx USING btree (provider, success)'
]);
CALL trueup.require_no_functions('public.requests');

ALTER TABLE public.requests
    ADD COLUMN id__new uuid,
    ADD COLUMN request_type__new varchar(50),
    ADD COLUMN model_id__new uuid,
    ADD COLUMN provider__new varchar(50),
    ADD CONSTRAINT request_type_check CHECK (request_type__new IN ('CHAT', 'COMPLETION', 'EMBEDDING', 'IMAGE_GENERATION', 'AUDIO_TRANSCRIPTION', 'AUDIO_TRANSLATION')) NOT VALID,
    ADD CONSTRAINT request_provider_check CHECK (provider__new IN ('OPENAI', 'ANTHROPIC', 'OLLAMA', 'CUSTOM')) NOT VALID,
    ADD CONSTRAINT requests_filled CHECK (id__new IS NOT NULL AND request_type__new IS NOT NULL AND model_id__new IS NOT NULL AND provider__new IS NOT NULL) NOT VALID,
    ADD CONSTRAINT requests_in_step CHECK (id__new IS NOT DISTINCT FROM id::uuid AND request_type__new IS NOT DISTINCT FROM upper(request_type COLLATE "C") AND model_id__new IS NOT DISTINCT FROM model_id::uuid AND provider__new IS NOT DISTINCT FROM upper(provider COLLATE "C")) NOT VALID;

-- Each new column gets the grants of its old one.
CALL trueup.give_grants('public.requests', 'public.requests', ARRAY[['id__new', 'id'], ['request_type__new', 'request_type'], ['model_id__new', 'model_id'], ['provider__new', 'provider']]);

-- Keeps both sides of each row equal. Values on the new side alone of a new row say that the new contract wrote it.
CREATE FUNCTION trueup.request_sync()
-- A client needs no right for it that it did not need before; nobody else may attach it to a table.
RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    is_own constant boolean := (SELECT pg_get_userbyid(c.relowner) = current_user FROM pg_class AS c WHERE c.oid = TG_RELID) OR trueup.is_own(TG_RELID);
    -- Whether the old contract wrote the row; null for an update of a filled row, of which each column tells.
    by_old constant boolean := CASE
        WHEN TG_OP = 'INSERT' THEN num_nonnulls(NEW.id__new, NEW.request_type__new, NEW.model_id__new, NEW.provider__new) = 0
            OR num_nonnulls(NEW.id, NEW.request_type, NEW.model_id, NEW.provider) > 0
        WHEN OLD.id__new IS NULL THEN true
    END;
BEGIN
    -- The side that changed wins; if both did, the one that has the table: only it is shown both.
    IF coalesce(by_old, NEW.id IS DISTINCT FROM OLD.id) THEN
        NEW.id__new := NEW.id::uuid;
    ELSIF coalesce(NOT by_old, NEW.id__new IS DISTINCT FROM OLD.id__new) THEN
        NEW.id := NEW.id__new::text;
    END IF;
    IF coalesce(by_old, NEW.request_type IS DISTINCT FROM OLD.request_type) THEN
        NEW.request_type__new := upper(NEW.request_type COLLATE "C");
    ELSIF coalesce(NOT by_old, NEW.request_type__new IS DISTINCT FROM OLD.request_type__new) THEN
        NEW.request_type := lower(NEW.request_type__new COLLATE "C");
    END IF;
    IF coalesce(by_old, NEW.model_id IS DISTINCT FROM OLD.model_id) THEN
        NEW.model_id__new := NEW.model_id::uuid;
    ELSIF coalesce(NOT by_old, NEW.model_id__new IS DISTINCT FROM OLD.model_id__new) THEN
        NEW.model_id := coalesce(
            (SELECT p.id__old FROM trueup.model_sides AS p WHERE p.id = NEW.model_id__new),
            NEW.model_id__new::text
        );
    END IF;
    IF coalesce(by_old, NEW.provider IS DISTINCT FROM OLD.provider) THEN
        NEW.provider__new := upper(NEW.provider COLLATE "C");
    ELSIF coalesce(NOT by_old, NEW.provider__new IS DISTINCT FROM OLD.provider__new) THEN
        NEW.provider := lower(NEW.provider__new COLLATE "C");
    END IF;

    -- Two indexes guard this key, and ON CONFLICT watches one: a key that is there needs no help.
    IF TG_OP = 'INSERT' THEN
        IF NOT is_own OR NOT has_table_privilege('public.requests', 'SELECT') THEN
            PERFORM trueup.hold_key(NEW.id__new::text, TG_RELID);
        ELSIF NOT EXISTS (SELECT FROM public.requests AS t WHERE t.id = NEW.id) THEN
            PERFORM trueup.hold_key(NEW.id__new::text, TG_RELID);
        END IF;
    END IF;

    RETURN NEW;
END
$$;

-- The same from the switch on, under the names that the columns have then; here values on the old side alone say that
-- the old contract wrote a new row. It stays beyond contract, for the way back.
CREATE FUNCTION trueup.request_sync_switched()
-- A client needs no right for it that it did not need before; nobody else may attach it to a table.
RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    is_own constant boolean := (SELECT pg_get_userbyid(c.relowner) = current_user FROM pg_class AS c WHERE c.oid = TG_RELID) OR trueup.is_own(TG_RELID);
    -- Whether the old contract wrote the row; null for an update of a filled row, of which each column tells.
    by_old constant boolean := CASE
        WHEN TG_OP = 'INSERT' THEN num_nonnulls(NEW.id__old, NEW.request_type__old, NEW.model_id__old, NEW.provider__old) > 0
            AND (NOT (num_nonnulls(NEW.id, NEW.request_type, NEW.model_id, NEW.provider) > 0)
            OR NEW.id IS NOT DISTINCT FROM NEW.id__old::uuid AND NEW.request_type IS NOT DISTINCT FROM upper(NEW.request_type__old COLLATE "C") AND NEW.model_id IS NOT DISTINCT FROM NEW.model_id__old::uuid AND NEW.provider IS NOT DISTINCT FROM upper(NEW.provider__old COLLATE "C"))
        WHEN OLD.id IS NULL THEN true
    END;
BEGIN
    IF by_old THEN
        PERFORM FROM trueup.requests_used;
    END IF;
    -- The side that changed wins; if both did, the one that has the table: only it is shown both.
    IF coalesce(NOT by_old, NEW.id IS DISTINCT FROM OLD.id) THEN
        NEW.id__old := NEW.id::text;
    ELSIF coalesce(by_old, NEW.id__old IS DISTINCT FROM OLD.id__old) THEN
        NEW.id := NEW.id__old::uuid;
    END IF;
    IF coalesce(NOT by_old, NEW.request_type IS DISTINCT FROM OLD.request_type) THEN
        NEW.request_type__old := lower(NEW.request_type COLLATE "C");
    ELSIF coalesce(by_old, NEW.request_type__old IS DISTINCT FROM OLD.request_type__old) THEN
        NEW.request_type := upper(NEW.request_type__old COLLATE "C");
    END IF;
    IF coalesce(NOT by_old, NEW.model_id IS DISTINCT FROM OLD.model_id) THEN
        NEW.model_id__old := coalesce(
            (SELECT p.id__old FROM trueup.model_sides AS p WHERE p.id = NEW.model_id),
            NEW.model_id::text
        );
    ELSIF coalesce(by_old, NEW.model_id__old IS DISTINCT FROM OLD.model_id__old) THEN
        NEW.model_id := NEW.model_id__old::uuid;
    END IF;
    IF coalesce(NOT by_old, NEW.provider IS DISTINCT FROM OLD.provider) THEN
        NEW.provider__old := lower(NEW.provider COLLATE "C");
    ELSIF coalesce(by_old, NEW.provider__old IS DISTINCT FROM OLD.provider__old) THEN
        NEW.provider := upper(NEW.provider__old COLLATE "C");
    END IF;

    -- Two indexes guard this key, and ON CONFLICT watches one: a key that is there needs no help.
    IF TG_OP = 'INSERT' THEN
        IF NOT is_own OR NOT has_table_privilege('public.request', 'SELECT') THEN
            PERFORM trueup.hold_key(NEW.id::text, TG_RELID);
        ELSIF NOT EXISTS (SELECT FROM public.request AS t WHERE t.id = NEW.id) THEN
            PERFORM trueup.hold_key(NEW.id::text, TG_RELID);
        END IF;
    END IF;

    RETURN NEW;
END
$$;

CALL trueup.hand_over('public.requests', 'request_sync', 'request_sync_switched');

-- Their names make them fire after the service's own triggers.
CREATE TRIGGER zz_trueup_sync_insert BEFORE INSERT ON public.requests
FOR EACH ROW EXECUTE FUNCTION trueup.request_sync();

-- Silent for the backfill, and for updates of other columns; but a row that a client moves before
-- the backfill comes to it is converted at once, or the backfill would never meet it.
CREATE TRIGGER zz_trueup_sync_update BEFORE UPDATE ON public.requests
FOR EACH ROW WHEN (
    NEW.id__new IS NULL
    OR (NEW.id, NEW.request_type, NEW.model_id, NEW.provider) IS DISTINCT FROM (OLD.id, OLD.request_type, OLD.model_id, OLD.provider)
    OR OLD.id__new IS NOT NULL AND (NEW.id__new, NEW.request_type__new, NEW.model_id__new, NEW.provider__new) IS DISTINCT FROM (OLD.id__new, OLD.request_type__new, OLD.model_id__new, OLD.provider__new)
)
EXECUTE FUNCTION trueup.request_sync();

-- The new view: the new name, the new columns. Until the switch the new release uses it.
CREATE VIEW public.request AS
SELECT
    id__new AS id, request_id, request_type__new AS request_type, model_id__new AS model_id, provider__new AS provider,
    user_id, project_id, task_id, request_data, response_data, prompt_tokens, completion_tokens, total_tokens,
    latency_ms, cost, success, error_message, error_code, created_at, completed_at
FROM public.requests;

COMMENT ON VIEW public.request IS 'One row for each request to a provider, kept for billing';
COMMENT ON COLUMN public.request.latency_ms IS 'Time until the provider answered, in milliseconds';
CALL trueup.give_grants('public.request', 'public.requests', ARRAY[['id', 'id__new'], ['request_type', 'request_type__new'], ['model_id', 'model_id__new'], ['provider', 'provider__new']]);
