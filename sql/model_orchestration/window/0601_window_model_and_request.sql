-- Turn models, requests into model, request in one go.
--
-- does:    converts every column of a table in one ALTER TABLE; keeps the spellings that cannot be derived back in a
--          reversal table, from which triggers remove those of deleted rows; gives each function of a trigger to its
--          table's owner, with whose rights it runs
-- locks:   ACCESS EXCLUSIVE on models, requests until it is done; gives up after 200 ms when it cannot have them
-- cost:    rewrites each table and its indexes once; up to 1 GB of memory for an index
-- undo:    the same again in the other direction, byte for byte
-- depends: 0061_check_model_and_request

CALL trueup.fix_transaction();
SET LOCAL lock_timeout = '200ms';
-- The window is as long as its index builds, and these are the faster the less they spill to disk.
SET LOCAL maintenance_work_mem = '1GB';
SET LOCAL max_parallel_maintenance_workers = 4;
-- Few rows are copied, which the planner cannot know: it is to read in parallel.
SET LOCAL parallel_tuple_cost = 0;

LOCK TABLE public.models, public.requests IN ACCESS EXCLUSIVE MODE;

CALL trueup.require_same('public.models', ARRAY[
    'column id NOT NULL', 'column model_id NOT NULL', 'column provider NOT NULL', 'column display_name',
    'column description', 'column capabilities NOT NULL', 'column status NOT NULL DEFAULT', 'column max_tokens',
    'column token_limit', 'column cost_per_token', 'column configuration', 'column model_metadata',
    'column created_at NOT NULL DEFAULT', 'column updated_at NOT NULL DEFAULT', 'unique models_model_id_key (model_id)',
    'primary key models_pkey (id)'
]);
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

ALTER TABLE public.requests DROP CONSTRAINT requests_model_id_fkey;

-- The spellings that cannot be derived back.
CREATE TABLE trueup.model_reversal AS
SELECT
    id AS id__old, id::uuid AS id, provider AS provider__old, upper(provider COLLATE "C") AS provider,
    capabilities AS capabilities__old, upper(capabilities::text COLLATE "C")::varchar[] AS capabilities,
    status AS status__old, upper(status COLLATE "C") AS status
FROM public.models
WHERE
    id IS DISTINCT FROM id::uuid::text
    OR provider IS DISTINCT FROM lower(provider COLLATE "C")
    OR capabilities IS DISTINCT FROM lower(capabilities::text COLLATE "C")::varchar[]
    OR status IS DISTINCT FROM lower(status COLLATE "C");
CALL trueup.keep_spellings('trueup.model_reversal', 'public.models');
ALTER TABLE trueup.model_reversal ADD PRIMARY KEY (id);

-- One rewrite of models; every index is built once.
ALTER TABLE public.models
    ALTER COLUMN id TYPE uuid USING id::uuid,
    ALTER COLUMN provider TYPE varchar(50) USING upper(provider COLLATE "C"),
    ALTER COLUMN capabilities TYPE varchar[] USING upper(capabilities::text COLLATE "C")::varchar[],
    ALTER COLUMN status DROP DEFAULT,
    ALTER COLUMN status TYPE varchar(50) USING upper(status COLLATE "C"),
    ALTER COLUMN status SET DEFAULT 'ACTIVE',
    ADD CONSTRAINT model_provider_check CHECK (provider IN ('OPENAI', 'ANTHROPIC', 'OLLAMA', 'CUSTOM')),
    ADD CONSTRAINT model_capabilities_check CHECK (capabilities <@ ARRAY['CHAT', 'COMPLETION', 'EMBEDDING', 'IMAGE_GENERATION', 'AUDIO_TRANSCRIPTION', 'AUDIO_TRANSLATION']::varchar[]),
    ADD CONSTRAINT model_status_check CHECK (status IN ('ACTIVE', 'INACTIVE', 'DEPRECATED'));

ALTER TABLE public.models RENAME TO model;

ALTER INDEX public.models_model_id_key RENAME TO model_model_id_key;
ALTER INDEX public.models_pkey RENAME TO model_pkey;
CALL trueup.rename_not_nulls('public.model', 'model', ARRAY[
    'id', 'model_id', 'provider', 'capabilities', 'status', 'created_at', 'updated_at'
]::name[]);

-- Forgets the old spellings of a row that is deleted.
CREATE FUNCTION trueup.model_forget()
-- Whoever deletes a row need not be allowed to read old spellings.
RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET row_security = on AS $$
BEGIN
    PERFORM (SELECT pg_get_userbyid(c.relowner) = current_user FROM pg_class AS c WHERE c.oid = TG_RELID) OR trueup.is_own(TG_RELID);
    IF TG_OP = 'TRUNCATE' THEN
        DELETE FROM trueup.model_reversal;
    ELSE
        DELETE FROM trueup.model_reversal AS r WHERE r.id = OLD.id;
    END IF;
    RETURN NULL;
EXCEPTION
    WHEN undefined_table OR insufficient_privilege THEN
        RETURN NULL; -- none are kept yet, or no more; or the table has got another owner
END
$$;
CALL trueup.hand_over('public.model', 'model_forget');
CREATE TRIGGER zz_trueup_forget AFTER DELETE ON public.model
FOR EACH ROW EXECUTE FUNCTION trueup.model_forget();
CREATE TRIGGER zz_trueup_forget_all AFTER TRUNCATE ON public.model
EXECUTE FUNCTION trueup.model_forget();

-- The spellings that cannot be derived back.
CREATE TABLE trueup.request_reversal AS
SELECT
    id AS id__old, id::uuid AS id, request_type AS request_type__old, upper(request_type COLLATE "C") AS request_type,
    provider AS provider__old, upper(provider COLLATE "C") AS provider
FROM public.requests
WHERE
    id IS DISTINCT FROM id::uuid::text
    OR request_type IS DISTINCT FROM lower(request_type COLLATE "C")
    OR provider IS DISTINCT FROM lower(provider COLLATE "C");
CALL trueup.keep_spellings('trueup.request_reversal', 'public.requests');
ALTER TABLE trueup.request_reversal ADD PRIMARY KEY (id);

-- One rewrite of requests; every index is built once.
ALTER TABLE public.requests
    ALTER COLUMN id TYPE uuid USING id::uuid,
    ALTER COLUMN request_type TYPE varchar(50) USING upper(request_type COLLATE "C"),
    ALTER COLUMN model_id TYPE uuid USING model_id::uuid,
    ALTER COLUMN provider TYPE varchar(50) USING upper(provider COLLATE "C"),
    ADD CONSTRAINT request_type_check CHECK (request_type IN ('CHAT', 'COMPLETION', 'EMBEDDING', 'IMAGE_GENERATION', 'AUDIO_TRANSCRIPTION', 'AUDIO_TRANSLATION')),
    ADD CONSTRAINT request_provider_check CHECK (provider IN ('OPENAI', 'ANTHROPIC', 'OLLAMA', 'CUSTOM'));

ALTER TABLE public.requests RENAME TO request;

ALTER INDEX public.requests_created_at_idx RENAME TO request_created_at_idx;
ALTER INDEX public.requests_model_id_idx RENAME TO request_model_id_idx;
ALTER INDEX public.requests_pkey RENAME TO request_pkey;
ALTER INDEX public.requests_provider_success_idx RENAME TO request_provider_success_idx;
ALTER INDEX public.requests_request_id_key RENAME TO request_request_id_key;
CALL trueup.rename_not_nulls('public.request', 'request', ARRAY[
    'id', 'request_id', 'request_type', 'model_id', 'provider', 'request_data', 'success', 'created_at'
]::name[]);

-- Forgets the old spellings of a row that is deleted.
CREATE FUNCTION trueup.request_forget()
-- Whoever deletes a row need not be allowed to read old spellings.
RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET row_security = on AS $$
BEGIN
    PERFORM (SELECT pg_get_userbyid(c.relowner) = current_user FROM pg_class AS c WHERE c.oid = TG_RELID) OR trueup.is_own(TG_RELID);
    IF TG_OP = 'TRUNCATE' THEN
        DELETE FROM trueup.request_reversal;
    ELSE
        DELETE FROM trueup.request_reversal AS r WHERE r.id = OLD.id;
    END IF;
    RETURN NULL;
EXCEPTION
    WHEN undefined_table OR insufficient_privilege THEN
        RETURN NULL; -- none are kept yet, or no more; or the table has got another owner
END
$$;
CALL trueup.hand_over('public.request', 'request_forget');
CREATE TRIGGER zz_trueup_forget AFTER DELETE ON public.request
FOR EACH ROW EXECUTE FUNCTION trueup.request_forget();
CREATE TRIGGER zz_trueup_forget_all AFTER TRUNCATE ON public.request
EXECUTE FUNCTION trueup.request_forget();

ALTER TABLE public.request
    ADD CONSTRAINT request_model_id_fkey
    FOREIGN KEY (model_id)
    REFERENCES public.model (id) NOT VALID;
