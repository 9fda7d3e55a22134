-- Leave model with its new contract alone.
--
-- does:    drops the trigger and the old columns; gives indexes and constraints their names under
--          the standard
-- locks:   ACCESS EXCLUSIVE on model for a few ms; gives up after 200 ms and can be run again
-- cost:    no rewrite, no scan
-- undo:    instant: adds the old columns behind the others, empty, with a trigger that fills what
--          clients write; the files before it fill the rest. The order of columns that the table
--          had does not come back
-- depends: 0517_contract_request

SET LOCAL search_path = pg_catalog;
CALL trueup.fix_settings();
SET LOCAL lock_timeout = '200ms';

DROP TRIGGER zz_trueup_sync_update ON public.model;
DROP TRIGGER zz_trueup_sync_insert ON public.model;
DROP FUNCTION trueup.model_sync();
DROP VIEW trueup.model_sides;

ALTER TABLE public.model
    DROP COLUMN id__old,
    DROP COLUMN provider__old,
    DROP COLUMN capabilities__old,
    DROP COLUMN status__old;

ALTER INDEX public.models_model_id_key RENAME TO model_model_id_key;
CALL trueup.name_not_nulls(
    'public.model',
    'model',
    ARRAY['id', 'model_id', 'provider', 'capabilities', 'status', 'created_at', 'updated_at']::name[]
);
