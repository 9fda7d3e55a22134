-- Undo: Give models its new contract beside the old one.
--
-- does:    takes the new contract of models away again: instant, loses nothing
-- locks:   ACCESS EXCLUSIVE on model and models for a few ms; gives up after 200 ms: run it again
-- cost:    no rewrite, no scan

CALL trueup.fix_transaction();
SET LOCAL lock_timeout = '200ms';

-- A client locks the view before its table, and so does this.
LOCK TABLE public.model IN ACCESS EXCLUSIVE MODE;
CALL trueup.require_same('public.models', ARRAY[
    'column id NOT NULL', 'column id__new', 'column model_id NOT NULL', 'column provider NOT NULL',
    'column provider__new', 'column display_name', 'column description', 'column capabilities NOT NULL',
    'column capabilities__new', 'column status NOT NULL DEFAULT', 'column status__new', 'column max_tokens',
    'column token_limit', 'column cost_per_token', 'column configuration', 'column model_metadata',
    'column created_at NOT NULL DEFAULT', 'column updated_at NOT NULL DEFAULT', 'unique models_model_id_key (model_id)',
    'primary key models_pkey (id)', 'check model_provider_check (provider__new)',
    'check model_capabilities_check (capabilities__new)', 'check model_status_check (status__new)',
    'check models_filled (capabilities__new, id__new, provider__new, status__new)',
    'check models_in_step (capabilities, capabilities__new, id, id__new, provider, provider__new, status, status__new)',
    'view public.model'
], may_be => ARRAY[
    'row level security', 'force row level security', 'policy *'
]);
CALL trueup.give_grants('public.models', 'public.model', since => true);

DROP TRIGGER zz_trueup_sync_update ON public.models;
DROP TRIGGER zz_trueup_sync_insert ON public.models;
DROP FUNCTION trueup.model_sync_switched(), trueup.model_sync();
DROP VIEW public.model;

DROP VIEW trueup.model_sides;

ALTER TABLE public.models
    DROP COLUMN id__new, DROP COLUMN provider__new, DROP COLUMN capabilities__new, DROP COLUMN status__new;
