-- Undo: Make the unique indexes of model its keys.
--
-- does:    gives model its old keys beside the new unique indexes: instant. Where contract was
--          broken off before it had built an index for that, builds it under the lock if the table
--          is small, and refuses with the statement to run if it is large
-- locks:   ACCESS EXCLUSIVE on model, request for a few ms; gives up after 200 ms and can be run
--          again
-- cost:    no rewrite, no scan
-- undo:    apply 0510_contract_model_keys again: no rewrite, no scan

SET LOCAL search_path = pg_catalog;
CALL trueup.fix_settings();
SET LOCAL lock_timeout = '200ms';

CALL trueup.lock_tables('ACCESS EXCLUSIVE', 'public.request', 'public.model');
CALL trueup.require_index(
    'public.model',
    'models_pkey__back',
    $$USING btree (id__old)$$
);
CALL trueup.require_index(
    'public.model',
    'model_pkey__again',
    $$USING btree (id)$$
);

-- The validated CHECKs spare the scan, so they must still be there.
ALTER TABLE public.model
    ALTER COLUMN id__old SET NOT NULL,
    ALTER COLUMN provider__old SET NOT NULL,
    ALTER COLUMN capabilities__old SET NOT NULL,
    ALTER COLUMN status__old SET NOT NULL;
ALTER TABLE public.model
    DROP CONSTRAINT model_id_filled,
    DROP CONSTRAINT model_provider_filled,
    DROP CONSTRAINT model_capabilities_filled,
    DROP CONSTRAINT model_status_filled;
CALL trueup.rename_not_nulls(
    'public.model',
    'models',
    ARRAY['id__old', 'provider__old', 'capabilities__old', 'status__old']::name[],
    ending => '__old'
);

ALTER TABLE public.request DROP CONSTRAINT request_model_id_fkey;

ALTER TABLE public.model
    DROP CONSTRAINT model_pkey,
    ADD CONSTRAINT models_pkey PRIMARY KEY USING INDEX models_pkey__back;
ALTER INDEX public.model_pkey__again RENAME TO model_pkey;

ALTER TABLE public.request
    ADD CONSTRAINT request_model_id_fkey
    FOREIGN KEY (model_id)
    REFERENCES public.model (id) NOT VALID;

DROP TRIGGER zz_trueup_sync_update ON public.model;
DROP TRIGGER zz_trueup_sync_insert ON public.model;
DROP FUNCTION trueup.model_sync();

-- Keeps both sides of each row equal. A value on the old side of a new row says that the old
-- contract wrote it.
CREATE FUNCTION trueup.model_sync()
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

CALL trueup.keep_private('model_sync');

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
