-- Undo: Give the table models to the new contract.
--
-- does:    gives the table back to the old contract as models: instant, loses nothing; gives each function of a trigger
--          to its table's owner, with whose rights it runs
-- locks:   ACCESS EXCLUSIVE on model and models for a few ms; gives up after 200 ms: run it again
-- cost:    no rewrite, no scan

CALL trueup.fix_transaction();
SET LOCAL lock_timeout = '200ms';

-- A client locks the view before its table, and so does this.
LOCK TABLE public.models IN ACCESS EXCLUSIVE MODE;
CALL trueup.require_same('public.model', ARRAY[
    'column id__old NOT NULL', 'column id NOT NULL', 'column model_id NOT NULL', 'column provider__old NOT NULL',
    'column provider NOT NULL', 'column display_name', 'column description', 'column capabilities__old NOT NULL',
    'column capabilities NOT NULL', 'column status__old NOT NULL', 'column status NOT NULL DEFAULT',
    'column max_tokens', 'column token_limit', 'column cost_per_token', 'column configuration', 'column model_metadata',
    'column created_at NOT NULL DEFAULT', 'column updated_at NOT NULL DEFAULT', 'unique models_model_id_key (model_id)',
    'primary key models_pkey (id__old)', 'unique index model_pkey USING btree (id)',
    'check model_provider_check (provider)', 'check model_capabilities_check (capabilities)',
    'check model_status_check (status)', 'view public.models'
], may_be => ARRAY[
    'row level security', 'force row level security', 'policy *'
]);
-- Carries over what was granted or revoked on one side alone.
CALL trueup.give_grants('public.model', 'public.model', ARRAY[['id__old', 'id'], ['provider__old', 'provider'], ['capabilities__old', 'capabilities'], ['status__old', 'status']], since => true);
CALL trueup.give_grants('public.model', 'public.models', ARRAY[['id__old', 'id'], ['provider__old', 'provider'], ['capabilities__old', 'capabilities'], ['status__old', 'status']], since => true);
DROP VIEW public.models;
DROP MATERIALIZED VIEW trueup.models_used;
DELETE FROM trueup.odometer WHERE compat_view = 'public.models';

ALTER TABLE public.model ALTER COLUMN status DROP DEFAULT;
ALTER TABLE public.model ALTER COLUMN status__old SET DEFAULT 'active';

ALTER TABLE public.model RENAME COLUMN status TO status__new;
ALTER TABLE public.model RENAME COLUMN status__old TO status;
ALTER TABLE public.model RENAME COLUMN capabilities TO capabilities__new;
ALTER TABLE public.model RENAME COLUMN capabilities__old TO capabilities;
ALTER TABLE public.model RENAME COLUMN provider TO provider__new;
ALTER TABLE public.model RENAME COLUMN provider__old TO provider;
ALTER TABLE public.model RENAME COLUMN id TO id__new;
ALTER TABLE public.model RENAME COLUMN id__old TO id;

ALTER TABLE public.model RENAME TO models;

CALL trueup.give_grants('public.models', 'public.models', ARRAY[['id__new', 'id'], ['provider__new', 'provider'], ['capabilities__new', 'capabilities'], ['status__new', 'status']]);

-- The new view: the new name, the new columns. Until the switch the new release uses it.
CREATE VIEW public.model AS
SELECT
    id__new AS id, model_id, provider__new AS provider, display_name, description, capabilities__new AS capabilities,
    status__new AS status, max_tokens, token_limit, cost_per_token, configuration, model_metadata, created_at,
    updated_at
FROM public.models;

ALTER VIEW public.model ALTER COLUMN status SET DEFAULT 'ACTIVE';
COMMENT ON VIEW public.model IS 'The models that a request can be routed to';
COMMENT ON COLUMN public.model.model_id IS 'The name that callers use, such as gpt-4';
COMMENT ON COLUMN public.model.status IS 'Whether requests may be routed to the model';
CALL trueup.give_grants('public.model', 'public.models', ARRAY[['id', 'id__new'], ['provider', 'provider__new'], ['capabilities', 'capabilities__new'], ['status', 'status__new']]);

CALL trueup.hand_over('public.models', 'model_sync');
-- From here on the trigger's function is the one for these names of the columns.
CREATE OR REPLACE TRIGGER zz_trueup_sync_insert BEFORE INSERT ON public.models
FOR EACH ROW EXECUTE FUNCTION trueup.model_sync();
CREATE OR REPLACE TRIGGER zz_trueup_sync_update BEFORE UPDATE ON public.models
FOR EACH ROW WHEN (
    NEW.id__new IS NULL
    OR (NEW.id, NEW.provider, NEW.capabilities, NEW.status) IS DISTINCT FROM (OLD.id, OLD.provider, OLD.capabilities, OLD.status)
    OR OLD.id__new IS NOT NULL AND (NEW.id__new, NEW.provider__new, NEW.capabilities__new, NEW.status__new) IS DISTINCT FROM (OLD.id__new, OLD.provider__new, OLD.capabilities__new, OLD.status__new)
)
EXECUTE FUNCTION trueup.model_sync();
