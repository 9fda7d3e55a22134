-- Give the table requests to the new contract.
--
-- does:    drops the view request and gives the table its name and its columns; the old name and the old columns live
--          on in a view that counts its uses; gives each function of a trigger to its table's owner, with whose rights
--          it runs
-- locks:   ACCESS EXCLUSIVE on request and requests for a few ms; gives up after 200 ms: run it again
-- cost:    no rewrite, no scan
-- undo:    instant, loses nothing
-- depends: 0303_enforce_model_not_null 0308_enforce_request_not_null 0314_enforce_request_model_id_fkey_validate

CALL trueup.fix_transaction();
SET LOCAL lock_timeout = '200ms';

-- A client locks the view before its table, and so does this.
LOCK TABLE public.request IN ACCESS EXCLUSIVE MODE;
CALL trueup.require_same('public.requests', ARRAY[
    'column id NOT NULL', 'column id__new NOT NULL', 'column request_id NOT NULL', 'column request_type NOT NULL',
    'column request_type__new NOT NULL', 'column model_id NOT NULL', 'column model_id__new NOT NULL',
    'column provider NOT NULL', 'column provider__new NOT NULL', 'column user_id', 'column project_id',
    'column task_id', 'column request_data NOT NULL', 'column response_data', 'column prompt_tokens',
    'column completion_tokens', 'column total_tokens', 'column latency_ms', 'column cost', 'column success NOT NULL',
    'column error_message', 'column error_code', 'column created_at NOT NULL DEFAULT', 'column completed_at',
    'foreign key requests_model_id_fkey (model_id)', 'foreign key request_model_id_fkey (model_id__new)',
    'primary key requests_pkey (id)', 'unique index request_pkey USING btree (id__new)',
    'unique requests_request_id_key (request_id)', 'check request_type_check (request_type__new)',
    'check request_provider_check (provider__new)', 'index requests_created_at_idx USING btree (created_at)',
    'index requests_model_id_idx USING btree (model_id)', 'index request_model_id_idx USING btree (model_id__new)',
    'index requests_provider_success_idx USING btree (provider, success)',
    'index request_provider_success_idx USING btree (provider__new, success)', 'view public.request'
]);
-- Carries over what was granted or revoked on one side alone.
CALL trueup.give_grants('public.requests', 'public.requests', ARRAY[['id__new', 'id'], ['request_type__new', 'request_type'], ['model_id__new', 'model_id'], ['provider__new', 'provider']], since => true);
CALL trueup.give_grants('public.requests', 'public.request', ARRAY[['id__new', 'id'], ['request_type__new', 'request_type'], ['model_id__new', 'model_id'], ['provider__new', 'provider']], since => true);
DROP VIEW public.request;

ALTER TABLE public.requests RENAME TO request;

ALTER TABLE public.request RENAME COLUMN id TO id__old;
ALTER TABLE public.request RENAME COLUMN id__new TO id;
ALTER TABLE public.request RENAME COLUMN request_type TO request_type__old;
ALTER TABLE public.request RENAME COLUMN request_type__new TO request_type;
ALTER TABLE public.request RENAME COLUMN model_id TO model_id__old;
ALTER TABLE public.request RENAME COLUMN model_id__new TO model_id;
ALTER TABLE public.request RENAME COLUMN provider TO provider__old;
ALTER TABLE public.request RENAME COLUMN provider__new TO provider;

CALL trueup.give_grants('public.request', 'public.request', ARRAY[['id__old', 'id'], ['request_type__old', 'request_type'], ['model_id__old', 'model_id'], ['provider__old', 'provider']]);

-- The usage counter's marker: the server counts that each query through the view reads it once. It is empty,
-- as an older snapshot would find it; and a materialized view, which a dump does not read.
CREATE MATERIALIZED VIEW trueup.requests_used AS SELECT true AS used WHERE false;

-- The compat view: the old name, the old columns in their old order.
CREATE VIEW public.requests AS
SELECT
    id__old AS id, request_id, request_type__old AS request_type, model_id__old AS model_id, provider__old AS provider,
    user_id, project_id, task_id, request_data, response_data, prompt_tokens, completion_tokens, total_tokens,
    latency_ms, cost, success, error_message, error_code, created_at, completed_at
FROM public.request
WHERE NOT EXISTS (SELECT FROM trueup.requests_used);

COMMENT ON VIEW public.requests IS 'One row for each request to a provider, kept for billing';
COMMENT ON COLUMN public.requests.latency_ms IS 'Time until the provider answered, in milliseconds';
CALL trueup.give_grants('public.requests', 'public.request', ARRAY[['id', 'id__old'], ['request_type', 'request_type__old'], ['model_id', 'model_id__old'], ['provider', 'provider__old']]);

CALL trueup.share_marker('trueup.requests_used', 'public.requests');
CALL trueup.read_odometer('public.requests');

CALL trueup.hand_over('public.request', 'request_sync_switched');
-- From here on the trigger's function is the one for these names of the columns.
CREATE OR REPLACE TRIGGER zz_trueup_sync_insert BEFORE INSERT ON public.request
FOR EACH ROW EXECUTE FUNCTION trueup.request_sync_switched();
CREATE OR REPLACE TRIGGER zz_trueup_sync_update BEFORE UPDATE ON public.request
FOR EACH ROW WHEN (
    NEW.id IS NULL
    OR (NEW.id__old, NEW.request_type__old, NEW.model_id__old, NEW.provider__old) IS DISTINCT FROM (OLD.id__old, OLD.request_type__old, OLD.model_id__old, OLD.provider__old)
    OR OLD.id IS NOT NULL AND (NEW.id, NEW.request_type, NEW.model_id, NEW.provider) IS DISTINCT FROM (OLD.id, OLD.request_type, OLD.model_id, OLD.provider)
)
EXECUTE FUNCTION trueup.request_sync_switched();
