-- Leave request with its new contract alone.
--
-- does:    drops the trigger and the old columns; gives indexes and constraints their names under the standard
-- locks:   ACCESS EXCLUSIVE on request for a few ms; gives up after 200 ms: run it again
-- cost:    no rewrite, no scan; reads the spellings that are kept
-- undo:    instant: adds the old columns behind the others, empty, with a trigger that fills what clients write; the
--          files before it fill the rest. The order of columns that the table had does not come back
-- depends: 0516_contract_model_fill

CALL trueup.fix_transaction();
SET LOCAL lock_timeout = '200ms';

-- The copy may hold rows that were deleted while it was made.
DELETE FROM trueup.request_reversal AS r
WHERE NOT EXISTS (SELECT FROM public.request AS t WHERE r.id = t.id);

LOCK TABLE public.request IN ACCESS EXCLUSIVE MODE;
CALL trueup.require_same('public.request', ARRAY[
    'column id NOT NULL', 'column request_id NOT NULL', 'column request_type NOT NULL', 'column model_id NOT NULL',
    'column provider NOT NULL', 'column user_id', 'column project_id', 'column task_id', 'column request_data NOT NULL',
    'column response_data', 'column prompt_tokens', 'column completion_tokens', 'column total_tokens',
    'column latency_ms', 'column cost', 'column success NOT NULL', 'column error_message', 'column error_code',
    'column created_at NOT NULL DEFAULT', 'column completed_at', 'foreign key request_model_id_fkey (model_id)',
    'primary key request_pkey (id)', 'unique requests_request_id_key (request_id)',
    'check request_type_check (request_type)', 'check request_provider_check (provider)',
    'index requests_created_at_idx USING btree (created_at)', 'index request_model_id_idx USING btree (model_id)',
    'index request_provider_success_idx USING btree (provider, success)'
], may_be => ARRAY[
    'column id__old', 'column id__old NOT NULL', 'column request_type__old', 'column request_type__old NOT NULL',
    'column model_id__old', 'column model_id__old NOT NULL', 'column provider__old', 'column provider__old NOT NULL',
    'check request_filled (id__old, model_id__old, provider__old, request_type__old)'
]);

DROP TRIGGER zz_trueup_sync_update ON public.request;
DROP TRIGGER zz_trueup_sync_insert ON public.request;
-- A rollback that was broken off may have left it.
DROP FUNCTION IF EXISTS trueup.request_sync_back();

ALTER TABLE public.request
    DROP COLUMN id__old, DROP COLUMN request_type__old, DROP COLUMN model_id__old, DROP COLUMN provider__old;

ALTER INDEX public.requests_created_at_idx RENAME TO request_created_at_idx;
ALTER INDEX public.requests_request_id_key RENAME TO request_request_id_key;
CALL trueup.rename_not_nulls('public.request', 'request', ARRAY[
    'id', 'request_id', 'request_type', 'model_id', 'provider', 'request_data', 'success', 'created_at'
]::name[]);
