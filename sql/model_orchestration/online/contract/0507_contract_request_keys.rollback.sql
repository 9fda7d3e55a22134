-- Undo: Make the unique indexes of request its keys.
--
-- does:    gives request its old keys beside the new unique indexes: instant. Where contract was
--          broken off before it had built an index for that, builds it under the lock if the table
--          is small, and refuses with the statement to run if it is large
-- locks:   ACCESS EXCLUSIVE on request for a few ms; gives up after 200 ms and can be run again
-- cost:    no rewrite, no scan
-- undo:    apply 0507_contract_request_keys again: no rewrite, no scan

SET LOCAL search_path = pg_catalog;
CALL trueup.fix_settings();
SET LOCAL lock_timeout = '200ms';

LOCK TABLE public.request IN ACCESS EXCLUSIVE MODE;
CALL trueup.require_index(
    'public.request',
    'requests_pkey__back',
    $$USING btree (id__old)$$
);
CALL trueup.require_index(
    'public.request',
    'request_pkey__again',
    $$USING btree (id)$$
);

-- The validated CHECKs spare the scan, so they must still be there.
ALTER TABLE public.request
    ALTER COLUMN id__old SET NOT NULL,
    ALTER COLUMN request_type__old SET NOT NULL,
    ALTER COLUMN model_id__old SET NOT NULL,
    ALTER COLUMN provider__old SET NOT NULL;
ALTER TABLE public.request
    DROP CONSTRAINT request_id_filled,
    DROP CONSTRAINT request_request_type_filled,
    DROP CONSTRAINT request_model_id_filled,
    DROP CONSTRAINT request_provider_filled;
CALL trueup.rename_not_nulls(
    'public.request',
    'requests',
    ARRAY['id__old', 'request_type__old', 'model_id__old', 'provider__old']::name[],
    ending => '__old'
);

ALTER TABLE public.request
    DROP CONSTRAINT request_pkey,
    ADD CONSTRAINT requests_pkey PRIMARY KEY USING INDEX requests_pkey__back;
ALTER INDEX public.request_pkey__again RENAME TO request_pkey;

DROP TRIGGER zz_trueup_sync_update ON public.request;
DROP TRIGGER zz_trueup_sync_insert ON public.request;
DROP FUNCTION trueup.request_sync();

-- Keeps both sides of each row equal. A value on the old side of a new row says that the old
-- contract wrote it.
CREATE FUNCTION trueup.request_sync()
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
        NEW.request_type__old := lower(NEW.request_type COLLATE "C");
        NEW.model_id__old := coalesce(
            (SELECT p.id__old FROM trueup.model_sides AS p WHERE p.id = NEW.model_id),
            NEW.model_id::text
        );
        NEW.provider__old := lower(NEW.provider COLLATE "C");
    ELSIF TG_OP = 'INSERT' OR OLD.id IS NULL THEN
        -- The old contract writes, or the backfill has not come to this row yet.
        PERFORM FROM trueup.requests_used;
        NEW.id := NEW.id__old::uuid;
        NEW.request_type := upper(NEW.request_type__old COLLATE "C");
        NEW.model_id := NEW.model_id__old::uuid;
        NEW.provider := upper(NEW.provider__old COLLATE "C");
    ELSE
        -- The side that changed wins; if both did, the old one.
        IF NEW.id__old IS DISTINCT FROM OLD.id__old THEN
            NEW.id := NEW.id__old::uuid;
        ELSIF NEW.id IS DISTINCT FROM OLD.id THEN
            NEW.id__old := NEW.id::text;
        END IF;
        IF NEW.request_type__old IS DISTINCT FROM OLD.request_type__old THEN
            NEW.request_type := upper(NEW.request_type__old COLLATE "C");
        ELSIF NEW.request_type IS DISTINCT FROM OLD.request_type THEN
            NEW.request_type__old := lower(NEW.request_type COLLATE "C");
        END IF;
        IF NEW.model_id__old IS DISTINCT FROM OLD.model_id__old THEN
            NEW.model_id := NEW.model_id__old::uuid;
        ELSIF NEW.model_id IS DISTINCT FROM OLD.model_id THEN
            NEW.model_id__old := coalesce(
                (SELECT p.id__old FROM trueup.model_sides AS p WHERE p.id = NEW.model_id),
                NEW.model_id::text
            );
        END IF;
        IF NEW.provider__old IS DISTINCT FROM OLD.provider__old THEN
            NEW.provider := upper(NEW.provider__old COLLATE "C");
        ELSIF NEW.provider IS DISTINCT FROM OLD.provider THEN
            NEW.provider__old := lower(NEW.provider COLLATE "C");
        END IF;
    END IF;

    -- Two indexes guard this key, and ON CONFLICT watches one: a key that is there needs no help.
    IF TG_OP = 'INSERT' AND NOT EXISTS (SELECT FROM public.request AS t WHERE t.id = NEW.id) THEN
        PERFORM trueup.hold_key(NEW.id::text, TG_RELID);
    END IF;

    RETURN NEW;
END
$$;

CALL trueup.keep_private('request_sync');

-- Their names make them fire after the service's own triggers.
CREATE TRIGGER zz_trueup_sync_insert
BEFORE INSERT ON public.request
FOR EACH ROW
EXECUTE FUNCTION trueup.request_sync();

-- Silent for the backfill, and for updates of other columns; but a row that a client moves before
-- the backfill comes to it is converted at once, or the backfill would never meet it.
CREATE TRIGGER zz_trueup_sync_update
BEFORE UPDATE ON public.request
FOR EACH ROW
WHEN (
    NEW.id IS NULL
    OR NEW.id__old IS DISTINCT FROM OLD.id__old
    OR NEW.request_type__old IS DISTINCT FROM OLD.request_type__old
    OR NEW.model_id__old IS DISTINCT FROM OLD.model_id__old
    OR NEW.provider__old IS DISTINCT FROM OLD.provider__old
    OR OLD.id IS NOT NULL AND (
        NEW.id IS DISTINCT FROM OLD.id
        OR NEW.request_type IS DISTINCT FROM OLD.request_type
        OR NEW.model_id IS DISTINCT FROM OLD.model_id
        OR NEW.provider IS DISTINCT FROM OLD.provider
    )
)
EXECUTE FUNCTION trueup.request_sync();
