-- Give the table models to the new contract.
--
-- does:    drops the view model and gives the table its name and its columns; the old name and the
--          old columns live on in a view that counts its uses
-- locks:   ACCESS EXCLUSIVE on model and models for a few ms; gives up after 200 ms and can be run
--          again
-- cost:    no rewrite, no scan
-- undo:    instant, loses nothing
-- depends: 0303_enforce_model_not_null 0308_enforce_request_not_null 0314_enforce_request_model_id_fkey_validate

SET LOCAL search_path = pg_catalog;
CALL trueup.fix_settings();
SET LOCAL lock_timeout = '200ms';

-- A client locks the view before its table, and so does this.
LOCK TABLE public.model IN ACCESS EXCLUSIVE MODE;
CALL trueup.require_same('public.models', ARRAY[
    'column id NOT NULL', 'column id__new NOT NULL', 'column model_id NOT NULL',
    'column provider NOT NULL', 'column provider__new NOT NULL', 'column display_name',
    'column description', 'column capabilities NOT NULL', 'column capabilities__new NOT NULL',
    'column status NOT NULL DEFAULT', 'column status__new NOT NULL', 'column max_tokens',
    'column token_limit', 'column cost_per_token', 'column configuration', 'column model_metadata',
    'column created_at NOT NULL DEFAULT', 'column updated_at NOT NULL DEFAULT',
    'unique models_model_id_key (model_id)', 'primary key models_pkey (id)',
    'unique index model_pkey (id__new)', 'check model_provider_check (provider__new)',
    'check model_capabilities_check (capabilities__new)', 'check model_status_check (status__new)',
    'view public.model'
]);
CALL trueup.carry_grants('public.models', 'public.models', ARRAY[['id__new', 'id'], ['provider__new', 'provider'], ['capabilities__new', 'capabilities'], ['status__new', 'status']]);
CALL trueup.carry_grants('public.models', 'public.model', ARRAY[['id__new', 'id'], ['provider__new', 'provider'], ['capabilities__new', 'capabilities'], ['status__new', 'status']]);
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

CALL trueup.copy_grants('public.model', 'public.model', ARRAY[['id__old', 'id'], ['provider__old', 'provider'], ['capabilities__old', 'capabilities'], ['status__old', 'status']]);

-- The usage counter's marker. Every query through the view reads it once, and the server counts that.
-- It is empty, as a transaction with an older snapshot would find it; and a materialized view so
-- that a dump does not read it.
CREATE MATERIALIZED VIEW trueup.models_used AS SELECT true AS used WHERE false;

-- The compat view: the old name, the old columns in their old order.
CREATE VIEW public.models AS
SELECT
    id__old AS id,
    model_id,
    provider__old AS provider,
    display_name,
    description,
    capabilities__old AS capabilities,
    status__old AS status,
    max_tokens,
    token_limit,
    cost_per_token,
    configuration,
    model_metadata,
    created_at,
    updated_at
FROM public.model
WHERE NOT EXISTS (SELECT FROM trueup.models_used);

ALTER VIEW public.models ALTER COLUMN status SET DEFAULT 'active';
COMMENT ON VIEW public.models IS 'The models that a request can be routed to';
COMMENT ON COLUMN public.models.model_id IS 'The name that callers use, such as gpt-4';
COMMENT ON COLUMN public.models.status IS 'Whether requests may be routed to the model';
CALL trueup.copy_grants('public.models', 'public.model', ARRAY[['id', 'id__old'], ['provider', 'provider__old'], ['capabilities', 'capabilities__old'], ['status', 'status__old']]);

CALL trueup.share_marker('trueup.models_used', 'public.models');
CALL trueup.read_odometer('public.models');

-- Keeps both sides of each row equal. A value on the old side of a new row says that the old
-- contract wrote it.
CREATE OR REPLACE FUNCTION trueup.model_sync()
RETURNS trigger
LANGUAGE plpgsql
-- A client needs no right for it that it did not need before; nobody else may attach it to a table.
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF TG_OP = 'INSERT' AND NEW.id__old IS NULL THEN
        -- The new contract writes.
        NEW.id__old := NEW.id::text;
        NEW.provider__old := lower(NEW.provider COLLATE "C");
        NEW.capabilities__old := lower(NEW.capabilities::text COLLATE "C")::varchar[];
        NEW.status__old := lower(NEW.status COLLATE "C");
    ELSIF TG_OP = 'INSERT' OR OLD.id IS NULL THEN
        -- The old contract writes, or the backfill has not come to this row yet.
        PERFORM FROM trueup.models_used;
        NEW.id := NEW.id__old::uuid;
        NEW.provider := upper(NEW.provider__old COLLATE "C");
        NEW.capabilities := upper(NEW.capabilities__old::text COLLATE "C")::varchar[];
        NEW.status := upper(NEW.status__old COLLATE "C");
    ELSE
        -- The side that changed wins; if both did, the old one.
        IF NEW.id__old IS DISTINCT FROM OLD.id__old THEN
            NEW.id := NEW.id__old::uuid;
        ELSIF NEW.id IS DISTINCT FROM OLD.id THEN
            NEW.id__old := NEW.id::text;
        END IF;
        IF NEW.provider__old IS DISTINCT FROM OLD.provider__old THEN
            NEW.provider := upper(NEW.provider__old COLLATE "C");
        ELSIF NEW.provider IS DISTINCT FROM OLD.provider THEN
            NEW.provider__old := lower(NEW.provider COLLATE "C");
        END IF;
        IF NEW.capabilities__old IS DISTINCT FROM OLD.capabilities__old THEN
            NEW.capabilities := upper(NEW.capabilities__old::text COLLATE "C")::varchar[];
        ELSIF NEW.capabilities IS DISTINCT FROM OLD.capabilities THEN
            NEW.capabilities__old := lower(NEW.capabilities::text COLLATE "C")::varchar[];
        END IF;
        IF NEW.status__old IS DISTINCT FROM OLD.status__old THEN
            NEW.status := upper(NEW.status__old COLLATE "C");
        ELSIF NEW.status IS DISTINCT FROM OLD.status THEN
            NEW.status__old := lower(NEW.status COLLATE "C");
        END IF;
    END IF;

    -- Two indexes guard this key, and ON CONFLICT watches one: a key that is there needs no help.
    IF TG_OP = 'INSERT' AND NOT EXISTS (SELECT FROM public.model AS t WHERE t.id = NEW.id) THEN
        PERFORM trueup.hold_key(NEW.id::text, TG_RELID);
    END IF;

    RETURN NEW;
END
$$;
