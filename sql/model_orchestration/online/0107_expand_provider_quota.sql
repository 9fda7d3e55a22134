-- Give provider_quotas its new contract beside the old one.
--
-- does:    renames provider_quotas to provider_quota; adds id uuid, provider varchar(50); keeps the
--          old name alive as a view with the same owner and grants; a trigger keeps both sides of
--          each row equal
-- locks:   ACCESS EXCLUSIVE on provider_quotas for a few ms; gives up after 200 ms and can be run
--          again
-- cost:    no rewrite, no scan
-- undo:    instant, loses nothing
-- depends: 0104_expand_provider_quota_check

SET LOCAL lock_timeout = '200ms';

ALTER TABLE public.provider_quotas RENAME TO provider_quota;

ALTER TABLE public.provider_quota RENAME COLUMN id TO id__old;
ALTER TABLE public.provider_quota RENAME COLUMN provider TO provider__old;

ALTER TABLE public.provider_quota
    ADD COLUMN id uuid,
    ADD COLUMN provider varchar(50);

CALL trueup.copy_columns('public.provider_quota', '__old');

-- The odometer's marker. Every query through the view reads it once, and the server counts that.
-- It is a materialized view so that a dump does not read it.
CREATE MATERIALIZED VIEW trueup.provider_quotas_used AS SELECT true AS used;
GRANT SELECT ON trueup.provider_quotas_used TO PUBLIC;
CALL trueup.read_odometer('public.provider_quotas', 'trueup.provider_quotas_used');

-- The compat view: the old name, the old columns in their old order.
CREATE VIEW public.provider_quotas AS
SELECT
    id__old AS id,
    provider__old AS provider,
    daily_token_limit,
    monthly_token_limit,
    daily_cost_limit,
    monthly_cost_limit,
    daily_tokens_used,
    monthly_tokens_used,
    daily_cost_used,
    monthly_cost_used,
    daily_reset_at,
    monthly_reset_at,
    created_at,
    updated_at
FROM public.provider_quota
WHERE EXISTS (SELECT FROM trueup.provider_quotas_used);

CALL trueup.stand_in('public.provider_quotas', 'public.provider_quota');

-- Keeps both sides of each row equal. A value on the old side of a new row says that the old
-- contract wrote it.
CREATE FUNCTION trueup.provider_quota_sync()
RETURNS trigger
LANGUAGE plpgsql
AS $$
BEGIN
    IF TG_OP = 'INSERT' AND NEW.id__old IS NULL THEN
        -- The new contract writes.
        NEW.id__old := NEW.id::text;
        NEW.provider__old := lower(NEW.provider);
    ELSIF TG_OP = 'INSERT' OR OLD.id IS NULL THEN
        -- The old contract writes, or the backfill has not come to this row yet.
        PERFORM FROM trueup.provider_quotas_used;
        NEW.id := NEW.id__old::uuid;
        NEW.provider := upper(NEW.provider__old);
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
    END IF;

    IF TG_OP = 'INSERT' THEN
        PERFORM trueup.hold_key(NEW.id::text, TG_RELID);
    END IF;

    RETURN NEW;
END
$$;

-- Their names make them fire after the service's own triggers.
CREATE TRIGGER zz_trueup_sync_insert
BEFORE INSERT ON public.provider_quota
FOR EACH ROW
EXECUTE FUNCTION trueup.provider_quota_sync();

-- Silent for the backfill, and for updates of other columns; but a row that a client moves before
-- the backfill comes to it is converted at once, or the backfill would never meet it.
CREATE TRIGGER zz_trueup_sync_update
BEFORE UPDATE ON public.provider_quota
FOR EACH ROW
WHEN (
    NEW.id IS NULL
    OR NEW.id__old IS DISTINCT FROM OLD.id__old
    OR NEW.provider__old IS DISTINCT FROM OLD.provider__old
    OR OLD.id IS NOT NULL AND (
        NEW.id IS DISTINCT FROM OLD.id
        OR NEW.provider IS DISTINCT FROM OLD.provider
    )
)
EXECUTE FUNCTION trueup.provider_quota_sync();
