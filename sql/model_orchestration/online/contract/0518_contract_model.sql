-- Leave model with its new contract alone.
--
-- does:    drops the trigger and the old columns; gives indexes and constraints their names under the standard
-- locks:   ACCESS EXCLUSIVE on model for a few ms; gives up after 200 ms: run it again
-- cost:    no rewrite, no scan; reads the spellings that are kept
-- undo:    instant: adds the old columns behind the others, empty, with a trigger that fills what clients write; the
--          files before it fill the rest. The order of columns that the table had does not come back
-- depends: 0517_contract_request

CALL trueup.fix_transaction();
SET LOCAL lock_timeout = '200ms';

-- The copy may hold rows that were deleted while it was made.
DELETE FROM trueup.model_reversal AS r
WHERE NOT EXISTS (SELECT FROM public.model AS t WHERE r.id = t.id);

LOCK TABLE public.model IN ACCESS EXCLUSIVE MODE;
CALL trueup.require_same('public.model', ARRAY[
    'column id NOT NULL', 'column model_id NOT NULL', 'column provider NOT NULL', 'column display_name',
    'column description', 'column capabilities NOT NULL', 'column status NOT NULL DEFAULT', 'column max_tokens',
    'column token_limit', 'column cost_per_token', 'column configuration', 'column model_metadata',
    'column created_at NOT NULL DEFAULT', 'column updated_at NOT NULL DEFAULT', 'unique models_model_id_key (model_id)',
    'primary key model_pkey (id)', 'check model_provider_check (provider)',
    'check model_capabilities_check (capabilities)', 'check model_status_check (status)'
], may_be => ARRAY[
    'column id__old', 'column id__old NOT NULL', 'column provider__old', 'column provider__old NOT NULL',
    'column capabilities__old', 'column capabilities__old NOT NULL', 'column status__old',
    'column status__old NOT NULL', 'check model_filled (capabilities__old, id__old, provider__old, status__old)'
]);

DROP TRIGGER zz_trueup_sync_update ON public.model;
DROP TRIGGER zz_trueup_sync_insert ON public.model;
-- A rollback that was broken off may have left it.
DROP FUNCTION IF EXISTS trueup.model_sync_back();
DROP VIEW trueup.model_sides;

ALTER TABLE public.model
    DROP COLUMN id__old, DROP COLUMN provider__old, DROP COLUMN capabilities__old, DROP COLUMN status__old;

ALTER INDEX public.models_model_id_key RENAME TO model_model_id_key;
CALL trueup.rename_not_nulls('public.model', 'model', ARRAY[
    'id', 'model_id', 'provider', 'capabilities', 'status', 'created_at', 'updated_at'
]::name[]);
