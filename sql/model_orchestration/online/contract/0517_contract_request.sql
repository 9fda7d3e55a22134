-- Leave request with its new contract alone.
--
-- does:    drops the trigger and the old columns; gives indexes and constraints their names under
--          the standard
-- locks:   ACCESS EXCLUSIVE on request for a few ms; gives up after 200 ms and can be run again
-- cost:    no rewrite, no scan
-- undo:    instant: adds the old columns behind the others, empty, with a trigger that fills what
--          clients write; the files before it fill the rest. The order of columns that the table
--          had does not come back
-- depends: 0516_contract_model_fill

SET LOCAL search_path = pg_catalog;
CALL trueup.fix_settings();
SET LOCAL lock_timeout = '200ms';

DROP TRIGGER zz_trueup_sync_update ON public.request;
DROP TRIGGER zz_trueup_sync_insert ON public.request;
DROP FUNCTION trueup.request_sync();

ALTER TABLE public.request
    DROP COLUMN id__old,
    DROP COLUMN request_type__old,
    DROP COLUMN model_id__old,
    DROP COLUMN provider__old;

ALTER INDEX public.requests_created_at_idx RENAME TO request_created_at_idx;
ALTER INDEX public.requests_request_id_key RENAME TO request_request_id_key;
CALL trueup.name_not_nulls(
    'public.request',
    'request',
    ARRAY['id', 'request_id', 'request_type', 'model_id', 'provider', 'request_data', 'success', 'created_at']::name[]
);
