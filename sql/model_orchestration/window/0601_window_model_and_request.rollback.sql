-- Undo: Turn models, requests into model, request in one go.
--
-- does:    turns model, request back into models, requests, byte for byte
-- locks:   ACCESS EXCLUSIVE on model, request until it is done; gives up after 200 ms when it cannot have them
-- cost:    rewrites model and its indexes once; rewrites request and its indexes once; writes rows of model; writes
--          rows of request

CALL trueup.fix_transaction();
SET LOCAL lock_timeout = '200ms';
-- The window is as long as its index builds, and these are the faster the less they spill to disk.
SET LOCAL maintenance_work_mem = '1GB';
SET LOCAL max_parallel_maintenance_workers = 4;

LOCK TABLE public.model, public.request IN ACCESS EXCLUSIVE MODE;

CALL trueup.require_same('public.model', ARRAY[
    'column id NOT NULL', 'column model_id NOT NULL', 'column provider NOT NULL', 'column display_name',
    'column description', 'column capabilities NOT NULL', 'column status NOT NULL DEFAULT', 'column max_tokens',
    'column token_limit', 'column cost_per_token', 'column configuration', 'column model_metadata',
    'column created_at NOT NULL DEFAULT', 'column updated_at NOT NULL DEFAULT', 'unique model_model_id_key (model_id)',
    'primary key model_pkey (id)', 'check model_provider_check (provider)',
    'check model_capabilities_check (capabilities)', 'check model_status_check (status)'
]);
CALL trueup.require_same('public.request', ARRAY[
    'column id NOT NULL', 'column request_id NOT NULL', 'column request_type NOT NULL', 'column model_id NOT NULL',
    'column provider NOT NULL', 'column user_id', 'column project_id', 'column task_id', 'column request_data NOT NULL',
    'column response_data', 'column prompt_tokens', 'column completion_tokens', 'column total_tokens',
    'column latency_ms', 'column cost', 'column success NOT NULL', 'column error_message', 'column error_code',
    'column created_at NOT NULL DEFAULT', 'column completed_at', 'foreign key request_model_id_fkey (model_id)',
    'primary key request_pkey (id)', 'unique request_request_id_key (request_id)',
    'check request_type_check (request_type)', 'check request_provider_check (provider)',
    'index request_created_at_idx USING btree (created_at)', 'index request_model_id_idx USING btree (model_id)',
    'index request_provider_success_idx USING btree (provider, success)'
]);

ALTER TABLE public.request DROP CONSTRAINT request_model_id_fkey;

CALL trueup.tell_forgotten('trueup.model_reversal');
DROP TRIGGER IF EXISTS zz_trueup_forget_all ON public.model;
DROP TRIGGER IF EXISTS zz_trueup_forget ON public.model;
DROP FUNCTION IF EXISTS trueup.model_forget();

ALTER INDEX public.model_model_id_key RENAME TO models_model_id_key;
ALTER INDEX public.model_pkey RENAME TO models_pkey;
CALL trueup.rename_not_nulls('public.model', 'models', ARRAY[
    'id', 'model_id', 'provider', 'capabilities', 'status', 'created_at', 'updated_at'
]::name[]);

ALTER TABLE public.model RENAME TO models;

-- One rewrite of models; every index is built once.
ALTER TABLE public.models
    DROP CONSTRAINT model_provider_check,
    DROP CONSTRAINT model_capabilities_check,
    DROP CONSTRAINT model_status_check,
    ALTER COLUMN id TYPE varchar(36) USING id::text,
    ALTER COLUMN provider TYPE varchar(50) USING lower(provider COLLATE "C"),
    ALTER COLUMN capabilities TYPE varchar[] USING lower(capabilities::text COLLATE "C")::varchar[],
    ALTER COLUMN status DROP DEFAULT,
    ALTER COLUMN status TYPE varchar(50) USING lower(status COLLATE "C"),
    ALTER COLUMN status SET DEFAULT 'active';

CALL trueup.tell_forgotten('trueup.request_reversal');
DROP TRIGGER IF EXISTS zz_trueup_forget_all ON public.request;
DROP TRIGGER IF EXISTS zz_trueup_forget ON public.request;
DROP FUNCTION IF EXISTS trueup.request_forget();

ALTER INDEX public.request_created_at_idx RENAME TO requests_created_at_idx;
ALTER INDEX public.request_model_id_idx RENAME TO requests_model_id_idx;
ALTER INDEX public.request_pkey RENAME TO requests_pkey;
ALTER INDEX public.request_provider_success_idx RENAME TO requests_provider_success_idx;
ALTER INDEX public.request_request_id_key RENAME TO requests_request_id_key;
CALL trueup.rename_not_nulls('public.request', 'requests', ARRAY[
    'id', 'request_id', 'request_type', 'model_id', 'provider', 'request_data', 'success', 'created_at'
]::name[]);

ALTER TABLE public.request RENAME TO requests;

-- One rewrite of requests; every index is built once.
ALTER TABLE public.requests
    DROP CONSTRAINT request_type_check,
    DROP CONSTRAINT request_provider_check,
    ALTER COLUMN id TYPE varchar(36) USING id::text,
    ALTER COLUMN request_type TYPE varchar(50) USING lower(request_type COLLATE "C"),
    ALTER COLUMN model_id TYPE varchar(36) USING model_id::text,
    ALTER COLUMN provider TYPE varchar(50) USING lower(provider COLLATE "C");

-- The spellings that cannot be derived, where the value is still the same.
UPDATE public.models AS t
SET
    id = CASE WHEN t.id IS NOT DISTINCT FROM r.id::text
        THEN r.id__old ELSE t.id END,
    provider = CASE WHEN t.provider IS NOT DISTINCT FROM lower(r.provider COLLATE "C")
        THEN r.provider__old ELSE t.provider END,
    capabilities = CASE WHEN t.capabilities IS NOT DISTINCT FROM lower(r.capabilities::text COLLATE "C")::varchar[]
        THEN r.capabilities__old ELSE t.capabilities END,
    status = CASE WHEN t.status IS NOT DISTINCT FROM lower(r.status COLLATE "C")
        THEN r.status__old ELSE t.status END
FROM trueup.model_reversal AS r
WHERE t.id = r.id::text;

-- The spellings that cannot be derived, where the value is still the same.
UPDATE public.requests AS t
SET
    id = CASE WHEN t.id IS NOT DISTINCT FROM r.id::text
        THEN r.id__old ELSE t.id END,
    request_type = CASE WHEN t.request_type IS NOT DISTINCT FROM lower(r.request_type COLLATE "C")
        THEN r.request_type__old ELSE t.request_type END,
    provider = CASE WHEN t.provider IS NOT DISTINCT FROM lower(r.provider COLLATE "C")
        THEN r.provider__old ELSE t.provider END
FROM trueup.request_reversal AS r
WHERE t.id = r.id::text;

-- A reference is spelled as the key that it refers to.
UPDATE public.requests AS t
SET model_id = r.id__old
FROM trueup.model_reversal AS r
WHERE t.model_id = r.id::text;

ALTER TABLE public.requests
    ADD CONSTRAINT requests_model_id_fkey
    FOREIGN KEY (model_id)
    REFERENCES public.models (id);

DROP TABLE trueup.model_reversal;
DROP TABLE trueup.request_reversal;
