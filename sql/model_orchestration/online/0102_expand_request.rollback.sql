-- Undo: Give requests its new contract beside the old one.
--
-- does:    takes the new contract of requests away again: instant, loses nothing
-- locks:   ACCESS EXCLUSIVE on request and requests for a few ms; gives up after 200 ms: run it again
-- cost:    no rewrite, no scan

CALL trueup.fix_transaction();
SET LOCAL lock_timeout = '200ms';

-- A client locks the view before its table, and so does this.
LOCK TABLE public.request IN ACCESS EXCLUSIVE MODE;
CALL trueup.require_same('public.requests', ARRAY[
    'column id NOT NULL', 'column id__new', 'column request_id NOT NULL', 'column request_type NOT NULL',
    'column request_type__new', 'column model_id NOT NULL', 'column model_id__new', 'column provider NOT NULL',
    'column provider__new', 'column user_id', 'column project_id', 'column task_id', 'column request_data NOT NULL',
    'column response_data', 'column prompt_tokens', 'column completion_tokens', 'column total_tokens',
    'column latency_ms', 'column cost', 'column success NOT NULL', 'column error_message', 'column error_code',
    'column created_at NOT NULL DEFAULT', 'column completed_at', 'foreign key requests_model_id_fkey (model_id)',
    'primary key requests_pkey (id)', 'unique requests_request_id_key (request_id)',
    'check request_type_check (request_type__new)', 'check request_provider_check (provider__new)',
    'check requests_filled (id__new, model_id__new, provider__new, request_type__new)',
    'check requests_in_step (id, id__new, model_id, model_id__new, provider, provider__new, request_type, request_type__new)',
    'index requests_created_at_idx USING btree (created_at)', 'index requests_model_id_idx USING btree (model_id)',
    'index requests_provider_success_idx USING btree (provider, success)', 'view public.request'
], may_be => ARRAY[
    'row level security', 'force row level security', 'policy *'
]);
CALL trueup.give_grants('public.requests', 'public.request', since => true);

DROP TRIGGER zz_trueup_sync_update ON public.requests;
DROP TRIGGER zz_trueup_sync_insert ON public.requests;
DROP FUNCTION trueup.request_sync_switched(), trueup.request_sync();
DROP VIEW public.request;

ALTER TABLE public.requests
    DROP COLUMN id__new, DROP COLUMN request_type__new, DROP COLUMN model_id__new, DROP COLUMN provider__new;
