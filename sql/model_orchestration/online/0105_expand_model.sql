-- Give models its new contract beside the old one.
--
-- does:    renames models to model; adds id uuid, provider varchar(50), capabilities varchar[],
--          status varchar(50); keeps the old name alive as a view with the same owner and grants; a
--          trigger keeps both sides of each row equal
-- locks:   ACCESS EXCLUSIVE on models for a few ms; gives up after 200 ms and can be run again
-- cost:    no rewrite, no scan
-- undo:    instant, loses nothing
-- depends: 0102_expand_model_check 0103_expand_request_check

SET LOCAL lock_timeout = '200ms';

ALTER TABLE public.models RENAME TO model;

ALTER TABLE public.model RENAME COLUMN id TO id__old;
ALTER TABLE public.model RENAME COLUMN provider TO provider__old;
ALTER TABLE public.model RENAME COLUMN capabilities TO capabilities__old;
ALTER TABLE public.model RENAME COLUMN status TO status__old;

-- A value on the old side is to say that the old contract wrote the row.
ALTER TABLE public.model ALTER COLUMN status__old DROP DEFAULT;

ALTER TABLE public.model
    ADD COLUMN id uuid,
    ADD COLUMN provider varchar(50),
    ADD COLUMN capabilities varchar[],
    ADD COLUMN status varchar(50);
ALTER TABLE public.model ALTER COLUMN status SET DEFAULT 'ACTIVE';

CALL trueup.copy_columns('public.model', '__old');

-- The odometer's marker. Every query through the view reads it once, and the server counts that.
-- It is a materialized view so that a dump does not read it.
CREATE MATERIALIZED VIEW trueup.models_used AS SELECT true AS used;
GRANT SELECT ON trueup.models_used TO PUBLIC;
CALL trueup.read_odometer('public.models', 'trueup.models_used');

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
WHERE EXISTS (SELECT FROM trueup.models_used);

ALTER VIEW public.models ALTER COLUMN status SET DEFAULT 'active';
CALL trueup.stand_in('public.models', 'public.model');

-- Keeps both sides of each row equal. A value on the old side of a new row says that the old
-- contract wrote it.
CREATE FUNCTION trueup.model_sync()
RETURNS trigger
LANGUAGE plpgsql
AS $$
BEGIN
    IF TG_OP = 'INSERT' AND NEW.id__old IS NULL THEN
        -- The new contract writes.
        NEW.id__old := NEW.id::text;
        NEW.provider__old := lower(NEW.provider);
        NEW.capabilities__old := lower(NEW.capabilities::text)::varchar[];
        NEW.status__old := lower(NEW.status);
    ELSIF TG_OP = 'INSERT' OR OLD.id IS NULL THEN
        -- The old contract writes, or the backfill has not come to this row yet.
        PERFORM FROM trueup.models_used;
        NEW.id := NEW.id__old::uuid;
        NEW.provider := upper(NEW.provider__old);
        NEW.capabilities := upper(NEW.capabilities__old::text)::varchar[];
        NEW.status := upper(NEW.status__old);
    ELSE
        -- The side that changed wins.
        IF NEW.id__old IS DISTINCT FROM OLD.id__old THEN
            NEW.id := NEW.id__old::uuid;
        ELSIF NEW.id IS DISTINCT FROM OLD.id THEN
            NEW.id__old := NEW.id::text;
        END IF;
        IF NEW.provider__old IS DISTINCT FROM OLD.provider__old THEN
            NEW.provider := upper(NEW.provider__old);
        ELSIF NEW.provider IS DISTINCT FROM OLD.provider THEN
            NEW.provider__old := lower(NEW.provider);
        END IF;
        IF NEW.capabilities__old IS DISTINCT FROM OLD.capabilities__old THEN
            NEW.capabilities := upper(NEW.capabilities__old::text)::varchar[];
        ELSIF NEW.capabilities IS DISTINCT FROM OLD.capabilities THEN
            NEW.capabilities__old := lower(NEW.capabilities::text)::varchar[];
        END IF;
        IF NEW.status__old IS DISTINCT FROM OLD.status__old THEN
            NEW.status := upper(NEW.status__old);
        ELSIF NEW.status IS DISTINCT FROM OLD.status THEN
            NEW.status__old := lower(NEW.status);
        END IF;
    END IF;

    IF TG_OP = 'INSERT' THEN
        PERFORM trueup.hold_key(NEW.id::text, TG_RELID);
    END IF;

    RETURN NEW;
END
$$;

-- Their names make them fire after the service's own triggers.
CREATE TRIGGER zz_trueup_sync_insert
BEFORE INSERT ON public.model
FOR EACH ROW
EXECUTE FUNCTION trueup.model_sync();

-- Silent for the backfill, and for updates of other columns; but a row that a client moves before
-- the backfill comes to it is converted at once, or the backfill would never meet it.
CREATE TRIGGER zz_trueup_sync_update
BEFORE UPDATE ON public.model
FOR EACH ROW
WHEN (
    NEW.id IS NULL
    OR NEW.id__old IS DISTINCT FROM OLD.id__old
    OR NEW.provider__old IS DISTINCT FROM OLD.provider__old
    OR NEW.capabilities__old IS DISTINCT FROM OLD.capabilities__old
    OR NEW.status__old IS DISTINCT FROM OLD.status__old
    OR OLD.id IS NOT NULL AND (
        NEW.id IS DISTINCT FROM OLD.id
        OR NEW.provider IS DISTINCT FROM OLD.provider
        OR NEW.capabilities IS DISTINCT FROM OLD.capabilities
        OR NEW.status IS DISTINCT FROM OLD.status
    )
)
EXECUTE FUNCTION trueup.model_sync();
