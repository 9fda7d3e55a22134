-- Makes the old side of provider_quota again: one rewrite under the lock.

SET LOCAL lock_timeout = '200ms';
SET LOCAL maintenance_work_mem = '1GB';

LOCK TABLE public.provider_quota IN ACCESS EXCLUSIVE MODE;
CALL trueup.set_aside('public.provider_quota');

ALTER TABLE public.provider_quota DROP CONSTRAINT provider_quota_pkey;

-- The columns from the first converted one on are made again, so that the old order comes back.
ALTER TABLE public.provider_quota RENAME COLUMN id TO id__new;
ALTER TABLE public.provider_quota RENAME COLUMN provider TO provider__new;
ALTER TABLE public.provider_quota RENAME COLUMN daily_token_limit TO daily_token_limit__moved;
ALTER TABLE public.provider_quota RENAME COLUMN monthly_token_limit TO monthly_token_limit__moved;
ALTER TABLE public.provider_quota RENAME COLUMN daily_cost_limit TO daily_cost_limit__moved;
ALTER TABLE public.provider_quota RENAME COLUMN monthly_cost_limit TO monthly_cost_limit__moved;
ALTER TABLE public.provider_quota RENAME COLUMN daily_tokens_used TO daily_tokens_used__moved;
ALTER TABLE public.provider_quota RENAME COLUMN monthly_tokens_used TO monthly_tokens_used__moved;
ALTER TABLE public.provider_quota RENAME COLUMN daily_cost_used TO daily_cost_used__moved;
ALTER TABLE public.provider_quota RENAME COLUMN monthly_cost_used TO monthly_cost_used__moved;
ALTER TABLE public.provider_quota RENAME COLUMN daily_reset_at TO daily_reset_at__moved;
ALTER TABLE public.provider_quota RENAME COLUMN monthly_reset_at TO monthly_reset_at__moved;
ALTER TABLE public.provider_quota RENAME COLUMN created_at TO created_at__moved;
ALTER TABLE public.provider_quota RENAME COLUMN updated_at TO updated_at__moved;

ALTER TABLE public.provider_quota
    ADD COLUMN id varchar(36),
    ADD COLUMN provider varchar(50),
    ADD COLUMN daily_token_limit integer,
    ADD COLUMN monthly_token_limit integer,
    ADD COLUMN daily_cost_limit double precision,
    ADD COLUMN monthly_cost_limit double precision,
    ADD COLUMN daily_tokens_used integer,
    ADD COLUMN monthly_tokens_used integer,
    ADD COLUMN daily_cost_used double precision,
    ADD COLUMN monthly_cost_used double precision,
    ADD COLUMN daily_reset_at timestamptz,
    ADD COLUMN monthly_reset_at timestamptz,
    ADD COLUMN created_at timestamptz,
    ADD COLUMN updated_at timestamptz;

-- One rewrite fills them all.
ALTER TABLE public.provider_quota
    ALTER COLUMN id TYPE varchar(36) USING id__new::text,
    ALTER COLUMN provider TYPE varchar(50) USING lower(provider__new),
    ALTER COLUMN daily_token_limit TYPE integer USING daily_token_limit__moved,
    ALTER COLUMN monthly_token_limit TYPE integer USING monthly_token_limit__moved,
    ALTER COLUMN daily_cost_limit TYPE double precision USING daily_cost_limit__moved,
    ALTER COLUMN monthly_cost_limit TYPE double precision USING monthly_cost_limit__moved,
    ALTER COLUMN daily_tokens_used TYPE integer USING daily_tokens_used__moved,
    ALTER COLUMN monthly_tokens_used TYPE integer USING monthly_tokens_used__moved,
    ALTER COLUMN daily_cost_used TYPE double precision USING daily_cost_used__moved,
    ALTER COLUMN monthly_cost_used TYPE double precision USING monthly_cost_used__moved,
    ALTER COLUMN daily_reset_at TYPE timestamptz USING daily_reset_at__moved,
    ALTER COLUMN monthly_reset_at TYPE timestamptz USING monthly_reset_at__moved,
    ALTER COLUMN created_at TYPE timestamptz USING created_at__moved,
    ALTER COLUMN updated_at TYPE timestamptz USING updated_at__moved;

CALL trueup.silence_triggers('public.provider_quota');

-- The spellings that cannot be derived, where the value is still the same.
UPDATE public.provider_quota AS t
SET
    id = CASE
        WHEN t.id IS NOT DISTINCT FROM r.id::text
        THEN r.id__old
        ELSE t.id
    END,
    provider = CASE
        WHEN t.provider IS NOT DISTINCT FROM lower(r.provider)
        THEN r.provider__old
        ELSE t.provider
    END
FROM trueup.provider_quota_reversal AS r
WHERE t.id = r.id::text;

CALL trueup.copy_columns('public.provider_quota', '__moved', '');

CALL trueup.copy_columns('public.provider_quota', '__new', '');

ALTER TABLE public.provider_quota
    DROP COLUMN daily_token_limit__moved,
    DROP COLUMN monthly_token_limit__moved,
    DROP COLUMN daily_cost_limit__moved,
    DROP COLUMN monthly_cost_limit__moved,
    DROP COLUMN daily_tokens_used__moved,
    DROP COLUMN monthly_tokens_used__moved,
    DROP COLUMN daily_cost_used__moved,
    DROP COLUMN monthly_cost_used__moved,
    DROP COLUMN daily_reset_at__moved,
    DROP COLUMN monthly_reset_at__moved,
    DROP COLUMN created_at__moved,
    DROP COLUMN updated_at__moved;

ALTER TABLE public.provider_quota
    ALTER COLUMN id SET NOT NULL,
    ALTER COLUMN provider SET NOT NULL,
    ALTER COLUMN daily_tokens_used SET NOT NULL,
    ALTER COLUMN monthly_tokens_used SET NOT NULL,
    ALTER COLUMN daily_cost_used SET NOT NULL,
    ALTER COLUMN monthly_cost_used SET NOT NULL,
    ALTER COLUMN created_at SET NOT NULL,
    ALTER COLUMN created_at SET DEFAULT now(),
    ALTER COLUMN updated_at SET NOT NULL,
    ALTER COLUMN updated_at SET DEFAULT now(),
    ADD CONSTRAINT provider_quotas_pkey PRIMARY KEY (id);

CREATE INDEX provider_quotas_provider_idx ON public.provider_quota USING btree (provider);

CALL trueup.name_not_nulls(
    'public.provider_quota',
    'provider_quotas',
    ARRAY['id', 'provider', 'daily_tokens_used', 'monthly_tokens_used', 'daily_cost_used', 'monthly_cost_used', 'created_at', 'updated_at']::name[]
);

ALTER TABLE public.provider_quota RENAME COLUMN id TO id__old;
ALTER TABLE public.provider_quota RENAME COLUMN id__new TO id;
ALTER TABLE public.provider_quota RENAME COLUMN provider TO provider__old;
ALTER TABLE public.provider_quota RENAME COLUMN provider__new TO provider;

CREATE UNIQUE INDEX provider_quota_pkey ON public.provider_quota USING btree (id);

CALL trueup.put_back('public.provider_quota');

-- Keeps both sides of each row equal. A value on the old side of a new row says that the old
-- contract wrote it.
CREATE FUNCTION trueup.provider_quota_sync()
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

    -- Two indexes guard this key, and ON CONFLICT watches one: a key that is there needs no help.
    IF TG_OP = 'INSERT' AND NOT EXISTS (SELECT FROM public.provider_quota AS t WHERE t.id__old = NEW.id__old) THEN
        PERFORM trueup.hold_key(NEW.id::text, TG_RELID);
    END IF;

    RETURN NEW;
END
$$;

REVOKE EXECUTE ON FUNCTION trueup.provider_quota_sync() FROM PUBLIC;

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
