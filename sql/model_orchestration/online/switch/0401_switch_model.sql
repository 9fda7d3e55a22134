-- Give the table models to the new contract.
--
-- does:    drops the view model and gives the table its name and its columns; the old name and the old columns live on
--          in a view that counts its uses; gives each function of a trigger to its table's owner, with whose rights it
--          runs
-- locks:   ACCESS EXCLUSIVE on model and models for a few ms; gives up after 200 ms: run it again
-- cost:    no rewrite, no scan
-- undo:    instant, loses nothing
-- depends: 0303_enforce_model_not_null 0308_enforce_request_not_null 0314_enforce_request_model_id_fkey_validate

CALL trueup.fix_transaction();
SET LOCAL lock_timeout = '200ms';

-- A client locks the view before its table, and so does this.
LOCK TABLE public.model IN ACCESS EXCLUSIVE MODE;
CALL trueup.require_same('public.models', ARRAY[
    'column id NOT NULL', 'column id__new NOT NULL', 'column model_id NOT NULL', 'column provider NOT NULL',
    'column provider__new NOT NULL', 'column display_name', 'column description', 'column capabilities NOT NULL',
    'column capabilities__new NOT NULL', 'column status NOT NULL DEFAULT', 'column status__new NOT NULL',
    'column max_tokens', 'column token_limit', 'column cost_per_token', 'column configuration', 'column model_metadata',
    'column created_at NOT NULL DEFAULT', 'column updated_at NOT NULL DEFAULT', 'unique models_model_id_key (model_id)',
    'primary key models_pkey (id)', 'unique index model_pkey USING btree (id__new)',
    'check model_provider_check (provider__new)', 'check model_capabilities_check (capabilities__new)',
    'check model_status_check (status__new)', 'view public.model'
]);
-- Carries over what was granted or revoked on one side alone.
CALL trueup.give_grants('public.models', 'public.models', ARRAY[['id__new', 'id'], ['provider__new', 'provider'], ['capabilities__new', 'capabilities'], ['status__new', 'status']], since => true);
CALL trueup.give_grants('public.models', 'public.model', ARRAY[['id__new', 'id'], ['provider__new', 'provider'], ['capabilities__new', 'capabilities'], ['status__new', 'status']], since => true);
DROP VIEW public.model;

ALTER TABLE public.models RENAME TO model;

ALTER TABLE public.model RENAME COLUMN id TO id__old;
ALTER TABLE public.model RENAME COLUMN id__new TO id;
ALTER TABLE public.model RENAME COLUMN provider TO provider__old;
ALTER TABLE public.model RENAME COLUMN provider__new TO provider;
ALTER TABLE public.model RENAME COLUMN capabilities TO capabilities__old;
ALTER TABLE public.model RENAME COLUMN capabilities__new TO capabilities;
ALTER TABLE public.model RENAME COLUMN status TO status__old;
ALTER TABLE public.model RENAME COLUMN status__new TO status;

-- A value on the old side is to say that the old contract wrote the row.
ALTER TABLE public.model ALTER COLUMN status__old DROP DEFAULT;
ALTER TABLE public.model ALTER COLUMN status SET DEFAULT 'ACTIVE';

CALL trueup.give_grants('public.model', 'public.model', ARRAY[['id__old', 'id'], ['provider__old', 'provider'], ['capabilities__old', 'capabilities'], ['status__old', 'status']]);

-- The usage counter's marker: the server counts that each query through the view reads it once. It is empty,
-- as an older snapshot would find it; and a materialized view, which a dump does not read.
CREATE MATERIALIZED VIEW trueup.models_used AS SELECT true AS used WHERE false;

-- The compat view: the old name, the old columns in their old order.
CREATE VIEW public.models AS
SELECT
    id__old AS id, model_id, provider__old AS provider, display_name, description, capabilities__old AS capabilities,
    status__old AS status, max_tokens, token_limit, cost_per_token, configuration, model_metadata, created_at,
    updated_at
FROM public.model
WHERE NOT EXISTS (SELECT FROM trueup.models_used);

ALTER VIEW public.models ALTER COLUMN status SET DEFAULT 'active';
COMMENT ON VIEW public.models IS 'The models that a request can be routed to';
COMMENT ON COLUMN public.models.model_id IS 'The name that callers use, such as gpt-4';
COMMENT ON COLUMN public.models.status IS 'Whether requests may be routed to the model';
CALL trueup.give_grants('public.models', 'public.model', ARRAY[['id', 'id__old'], ['provider', 'provider__old'], ['capabilities', 'capabilities__old'], ['status', 'status__old']]);

CALL trueup.share_marker('trueup.models_used', 'public.models');
CALL trueup.read_odometer('public.models');

CALL trueup.hand_over('public.model', 'model_sync_switched');
-- From here on the trigger's function is the one for these names of the columns.
CREATE OR REPLACE TRIGGER zz_trueup_sync_insert BEFORE INSERT ON public.model
FOR EACH ROW EXECUTE FUNCTION trueup.model_sync_switched();
CREATE OR REPLACE TRIGGER zz_trueup_sync_update BEFORE UPDATE ON public.model
FOR EACH ROW WHEN (
    NEW.id IS NULL
    OR (NEW.id__old, NEW.provider__old, NEW.capabilities__old, NEW.status__old) IS DISTINCT FROM (OLD.id__old, OLD.provider__old, OLD.capabilities__old, OLD.status__old)
    OR OLD.id IS NOT NULL AND (NEW.id, NEW.provider, NEW.capabilities, NEW.status) IS DISTINCT FROM (OLD.id, OLD.provider, OLD.capabilities, OLD.status)
)
EXECUTE FUNCTION trueup.model_sync_switched();
