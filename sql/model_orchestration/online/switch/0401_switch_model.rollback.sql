-- Undo: Give the table models to the new contract.
--
-- does:    gives the table back to the old contract as models: instant, loses nothing
-- locks:   ACCESS EXCLUSIVE on model and models for a few ms; gives up after 200 ms and can be run
--          again
-- cost:    no rewrite, no scan
-- undo:    apply 0401_switch_model again: no rewrite, no scan

SET LOCAL search_path = pg_catalog;
CALL trueup.fix_settings();
SET LOCAL lock_timeout = '200ms';

-- A client locks the view before its table, and so does this.
LOCK TABLE public.models IN ACCESS EXCLUSIVE MODE;
CALL trueup.require_same('public.model', ARRAY[
    'column id__old NOT NULL', 'column id NOT NULL', 'column model_id NOT NULL',
    'column provider__old NOT NULL', 'column provider NOT NULL', 'column display_name',
    'column description', 'column capabilities__old NOT NULL', 'column capabilities NOT NULL',
    'column status__old NOT NULL', 'column status NOT NULL DEFAULT', 'column max_tokens',
    'column token_limit', 'column cost_per_token', 'column configuration', 'column model_metadata',
    'column created_at NOT NULL DEFAULT', 'column updated_at NOT NULL DEFAULT',
    'unique models_model_id_key (model_id)', 'primary key models_pkey (id__old)',
    'unique index model_pkey (id)', 'check model_provider_check (provider)',
    'check model_capabilities_check (capabilities)', 'check model_status_check (status)',
    'view public.models'
]);
CALL trueup.carry_grants('public.model', 'public.model', ARRAY[['id__old', 'id'], ['provider__old', 'provider'], ['capabilities__old', 'capabilities'], ['status__old', 'status']]);
CALL trueup.carry_grants('public.model', 'public.models', ARRAY[['id__old', 'id'], ['provider__old', 'provider'], ['capabilities__old', 'capabilities'], ['status__old', 'status']]);
DROP VIEW public.models;
DROP MATERIALIZED VIEW trueup.models_used;
DELETE FROM trueup.odometer WHERE compat_view = 'public.models';

ALTER TABLE public.model RENAME COLUMN id TO id__new;
ALTER TABLE public.model RENAME COLUMN id__old TO id;
ALTER TABLE public.model RENAME COLUMN provider TO provider__new;
ALTER TABLE public.model RENAME COLUMN provider__old TO provider;
ALTER TABLE public.model RENAME COLUMN capabilities TO capabilities__new;
ALTER TABLE public.model RENAME COLUMN capabilities__old TO capabilities;
ALTER TABLE public.model RENAME COLUMN status TO status__new;
ALTER TABLE public.model RENAME COLUMN status__old TO status;

ALTER TABLE public.model ALTER COLUMN status__new DROP DEFAULT;
ALTER TABLE public.model ALTER COLUMN status SET DEFAULT 'active';

ALTER TABLE public.model RENAME TO models;

CALL trueup.copy_grants('public.models', 'public.models', ARRAY[['id__new', 'id'], ['provider__new', 'provider'], ['capabilities__new', 'capabilities'], ['status__new', 'status']]);

-- The new view: the new name, the new columns. Until the switch the new release uses it.
CREATE VIEW public.model AS
SELECT
    id__new AS id,
    model_id,
    provider__new AS provider,
    display_name,
    description,
    capabilities__new AS capabilities,
    status__new AS status,
    max_tokens,
    token_limit,
    cost_per_token,
    configuration,
    model_metadata,
    created_at,
    updated_at
FROM public.models;

ALTER VIEW public.model ALTER COLUMN status SET DEFAULT 'ACTIVE';
COMMENT ON VIEW public.model IS 'The models that a request can be routed to';
COMMENT ON COLUMN public.model.model_id IS 'The name that callers use, such as gpt-4';
COMMENT ON COLUMN public.model.status IS 'Whether requests may be routed to the model';
CALL trueup.copy_grants('public.model', 'public.models', ARRAY[['id', 'id__new'], ['provider', 'provider__new'], ['capabilities', 'capabilities__new'], ['status', 'status__new']]);

-- Keeps both sides of each row equal. A value on the new side of a new row says that the new
-- contract wrote it.
CREATE OR REPLACE FUNCTION trueup.model_sync()
RETURNS trigger
LANGUAGE plpgsql
-- A client needs no right for it that it did not need before; nobody else may attach it to a table.
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF TG_OP = 'INSERT' AND NEW.id__new IS NOT NULL THEN
        -- The new contract writes.
        NEW.id := NEW.id__new::text;
        NEW.provider := lower(NEW.provider__new COLLATE "C");
        NEW.capabilities := lower(NEW.capabilities__new::text COLLATE "C")::varchar[];
        NEW.status := lower(NEW.status__new COLLATE "C");
    ELSIF TG_OP = 'INSERT' OR OLD.id__new IS NULL THEN
        -- The old contract writes, or the backfill has not come to this row yet.
        NEW.id__new := NEW.id::uuid;
        NEW.provider__new := upper(NEW.provider COLLATE "C");
        NEW.capabilities__new := upper(NEW.capabilities::text COLLATE "C")::varchar[];
        NEW.status__new := upper(NEW.status COLLATE "C");
    ELSE
        -- The side that changed wins; if both did, the old one.
        IF NEW.id IS DISTINCT FROM OLD.id THEN
            NEW.id__new := NEW.id::uuid;
        ELSIF NEW.id__new IS DISTINCT FROM OLD.id__new THEN
            NEW.id := NEW.id__new::text;
        END IF;
        IF NEW.provider IS DISTINCT FROM OLD.provider THEN
            NEW.provider__new := upper(NEW.provider COLLATE "C");
        ELSIF NEW.provider__new IS DISTINCT FROM OLD.provider__new THEN
            NEW.provider := lower(NEW.provider__new COLLATE "C");
        END IF;
        IF NEW.capabilities IS DISTINCT FROM OLD.capabilities THEN
            NEW.capabilities__new := upper(NEW.capabilities::text COLLATE "C")::varchar[];
        ELSIF NEW.capabilities__new IS DISTINCT FROM OLD.capabilities__new THEN
            NEW.capabilities := lower(NEW.capabilities__new::text COLLATE "C")::varchar[];
        END IF;
        IF NEW.status IS DISTINCT FROM OLD.status THEN
            NEW.status__new := upper(NEW.status COLLATE "C");
        ELSIF NEW.status__new IS DISTINCT FROM OLD.status__new THEN
            NEW.status := lower(NEW.status__new COLLATE "C");
        END IF;
    END IF;

    -- Two indexes guard this key, and ON CONFLICT watches one: a key that is there needs no help.
    IF TG_OP = 'INSERT' AND NOT EXISTS (SELECT FROM public.models AS t WHERE t.id = NEW.id) THEN
        PERFORM trueup.hold_key(NEW.id__new::text, TG_RELID);
    END IF;

    RETURN NEW;
END
$$;
