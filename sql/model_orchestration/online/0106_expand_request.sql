-- Give requests its new contract beside the old one.
--
-- does:    renames requests to request; adds id uuid, request_type varchar(50), model_id uuid,
--          provider varchar(50); keeps the old name alive as a view with the same owner and grants;
--          a trigger keeps both sides of each row equal
-- locks:   ACCESS EXCLUSIVE on requests for a few ms; gives up after 200 ms and can be run again
-- cost:    no rewrite, no scan
-- undo:    instant, loses nothing
-- depends: 0102_expand_model_check 0103_expand_request_check

SET LOCAL lock_timeout = '200ms';

ALTER TABLE public.requests RENAME TO request;

ALTER TABLE public.request RENAME COLUMN id TO id__old;
ALTER TABLE public.request RENAME COLUMN request_type TO request_type__old;
ALTER TABLE public.request RENAME COLUMN model_id TO model_id__old;
ALTER TABLE public.request RENAME COLUMN provider TO provider__old;

ALTER TABLE public.request
    ADD COLUMN id uuid,
    ADD COLUMN request_type varchar(50),
    ADD COLUMN model_id uuid,
    ADD COLUMN provider varchar(50);

CALL trueup.copy_columns('public.request', '__old');

-- The odometer's marker. Every query through the view reads it once, and the server counts that.
-- It is a materialized view so that a dump does not read it.
CREATE MATERIALIZED VIEW trueup.requests_used AS SELECT true AS used;
GRANT SELECT ON trueup.requests_used TO PUBLIC;
CALL trueup.read_odometer('public.requests', 'trueup.requests_used');

-- The compat view: the old name, the old columns in their old order.
CREATE VIEW public.requests AS
SELECT
    id__old AS id,
    request_id,
    request_type__old AS request_type,
    model_id__old AS model_id,
    provider__old AS provider,
    user_id,
    project_id,
    task_id,
    request_data,
    response_data,
    prompt_tokens,
    completion_tokens,
    total_tokens,
    latency_ms,
    cost,
    success,
    error_message,
    error_code,
    created_at,
    completed_at
FROM public.request
WHERE EXISTS (SELECT FROM trueup.requests_used);

CALL trueup.stand_in('public.requests', 'public.request');

-- Keeps both sides of each row equal. A value on the old side of a new row says that the old
-- contract wrote it.
CREATE FUNCTION trueup.request_sync()
RETURNS trigger
LANGUAGE plpgsql
-- Whoever may write a reference need not be allowed to read its parent, as with a foreign key.
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF TG_OP = 'INSERT' AND NEW.id__old IS NULL THEN
        -- The new contract writes.
        NEW.id__old := NEW.id::text;
        NEW.request_type__old := lower(NEW.request_type);
        NEW.model_id__old := coalesce(
            (SELECT p.id__old FROM public.model AS p WHERE p.id = NEW.model_id),
            NEW.model_id::text
        );
        NEW.provider__old := lower(NEW.provider);
    ELSIF TG_OP = 'INSERT' OR OLD.id IS NULL THEN
        -- The old contract writes, or the backfill has not come to this row yet.
        PERFORM FROM trueup.requests_used;
        NEW.id := NEW.id__old::uuid;
        NEW.request_type := upper(NEW.request_type__old);
        NEW.model_id := NEW.model_id__old::uuid;
        NEW.provider := upper(NEW.provider__old);
    ELSE
        -- The side that changed wins.
        IF NEW.id__old IS DISTINCT FROM OLD.id__old THEN
            NEW.id := NEW.id__old::uuid;
        ELSIF NEW.id IS DISTINCT FROM OLD.id THEN
            NEW.id__old := NEW.id::text;
        END IF;
        IF NEW.request_type__old IS DISTINCT FROM OLD.request_type__old THEN
            NEW.request_type := upper(NEW.request_type__old);
        ELSIF NEW.request_type IS DISTINCT FROM OLD.request_type THEN
            NEW.request_type__old := lower(NEW.request_type);
        END IF;
        IF NEW.model_id__old IS DISTINCT FROM OLD.model_id__old THEN
            NEW.model_id := NEW.model_id__old::uuid;
        ELSIF NEW.model_id IS DISTINCT FROM OLD.model_id THEN
            NEW.model_id__old := coalesce(
                (SELECT p.id__old FROM public.model AS p WHERE p.id = NEW.model_id),
                NEW.model_id::text
            );
        END IF;
        IF NEW.provider__old IS DISTINCT FROM OLD.provider__old THEN
            NEW.provider := upper(NEW.provider__old);
        ELSIF NEW.provider IS DISTINCT FROM OLD.provider THEN
            NEW.provider__old := lower(NEW.provider);
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
