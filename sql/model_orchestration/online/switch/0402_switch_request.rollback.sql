-- Undo: Give the table requests to the new contract.
--
-- does:    gives the table back to the old contract as requests: instant, loses nothing; gives each function of a
--          trigger to its table's owner, with whose rights it runs
-- locks:   ACCESS EXCLUSIVE on request and requests for a few ms; gives up after 200 ms: run it again
-- cost:    no rewrite, no scan

CALL trueup.fix_transaction();
SET LOCAL lock_timeout = '200ms';

-- A client locks the view before its table, and so does this.
LOCK TABLE public.requests IN ACCESS EXCLUSIVE MODE;
CALL trueup.require_same('public.request', ARRAY[
    'column id__old NOT NULL', 'column id NOT NULL', 'column request_id NOT NULL', 'column request_type__old NOT NULL',
    'column request_type NOT NULL', 'column model_id__old NOT NULL', 'column model_id NOT NULL',
    'column provider__old NOT NULL', 'column provider NOT NULL', 'column user_id', 'column project_id',
    'column task_id', 'column request_data NOT NULL', 'column response_data', 'column prompt_tokens',
    'column completion_tokens', 'column total_tokens', 'column latency_ms', 'column cost', 'column success NOT NULL',
    'column error_message', 'column error_code', 'column created_at NOT NULL DEFAULT', 'column completed_at',
    'foreign key requests_model_id_fkey (model_id__old)', 'foreign key request_model_id_fkey (model_id)',
    'primary key requests_pkey (id__old)', 'unique index request_pkey USING btree (id)',
    'unique requests_request_id_key (request_id)', 'check request_type_check (request_type)',
    'check request_provider_check (provider)', 'index requests_created_at_idx USING btree (created_at)',
    'index requests_model_id_idx USING btree (model_id__old)', 'index request_model_id_idx USING btree (model_id)',
    'index requests_provider_success_idx USING btree (provider__old, success)',
    'index request_provider_success_idx USING btree (provider, success)', 'view public.requests'
], may_be => ARRAY[
    'row level security', 'force row level security', 'policy *'
]);
-- Carries over what was granted or revoked on one side alone.
CALL trueup.give_grants('public.request', 'public.request', ARRAY[['id__old', 'id'], ['request_type__old', 'request_type'], ['model_id__old', 'model_id'], ['provider__old', 'provider']], since => true);
CALL trueup.give_grants('public.request', 'public.requests', ARRAY[['id__old', 'id'], ['request_type__old', 'request_type'], ['model_id__old', 'model_id'], ['provider__old', 'provider']], since => true);
DROP VIEW public.requests;
DROP MATERIALIZED VIEW trueup.requests_used;
DELETE FROM trueup.odometer WHERE compat_view = 'public.requests';

ALTER TABLE public.request RENAME COLUMN provider TO provider__new;
ALTER TABLE public.request RENAME COLUMN provider__old TO provider;
ALTER TABLE public.request RENAME COLUMN model_id TO model_id__new;
ALTER TABLE public.request RENAME COLUMN model_id__old TO model_id;
ALTER TABLE public.request RENAME COLUMN request_type TO request_type__new;
ALTER TABLE public.request RENAME COLUMN request_type__old TO request_type;
ALTER TABLE public.request RENAME COLUMN id TO id__new;
ALTER TABLE public.request RENAME COLUMN id__old TO id;

ALTER TABLE public.request RENAME TO requests;

CALL trueup.give_grants('public.requests', 'public.requests', ARRAY[['id__new', 'id'], ['request_type__new', 'request_type'], ['model_id__new', 'model_id'], ['provider__new', 'provider']]);

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

CALL trueup.hand_over('public.requests', 'request_sync');
-- From here on the trigger's function is the one for these names of the columns.
CREATE OR REPLACE TRIGGER zz_trueup_sync_insert BEFORE INSERT ON public.requests
FOR EACH ROW EXECUTE FUNCTION trueup.request_sync();
CREATE OR REPLACE TRIGGER zz_trueup_sync_update BEFORE UPDATE ON public.requests
FOR EACH ROW WHEN (
    NEW.id__new IS NULL
    OR (NEW.id, NEW.request_type, NEW.model_id, NEW.provider) IS DISTINCT FROM (OLD.id, OLD.request_type, OLD.model_id, OLD.provider)
    OR OLD.id__new IS NOT NULL AND (NEW.id__new, NEW.request_type__new, NEW.model_id__new, NEW.provider__new) IS DISTINCT FROM (OLD.id__new, OLD.request_type__new, OLD.model_id__new, OLD.provider__new)
)
EXECUTE FUNCTION trueup.request_sync();
