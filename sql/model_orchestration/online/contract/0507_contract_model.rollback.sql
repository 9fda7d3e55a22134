-- Makes the old side of model again: one rewrite under the lock.

SET LOCAL lock_timeout = '200ms';
SET LOCAL maintenance_work_mem = '1GB';

LOCK TABLE public.model IN ACCESS EXCLUSIVE MODE;
CALL trueup.set_aside('public.model');

ALTER INDEX public.model_model_id_key RENAME TO models_model_id_key;

ALTER TABLE public.request DROP CONSTRAINT request_model_id_fkey;
ALTER TABLE public.model DROP CONSTRAINT models_model_id_key;
ALTER TABLE public.model DROP CONSTRAINT model_pkey;

-- The columns from the first converted one on are made again, so that the old order comes back.
ALTER TABLE public.model RENAME COLUMN id TO id__new;
ALTER TABLE public.model RENAME COLUMN provider TO provider__new;
ALTER TABLE public.model RENAME COLUMN capabilities TO capabilities__new;
ALTER TABLE public.model RENAME COLUMN status TO status__new;
ALTER TABLE public.model RENAME COLUMN model_id TO model_id__moved;
ALTER TABLE public.model RENAME COLUMN display_name TO display_name__moved;
ALTER TABLE public.model RENAME COLUMN description TO description__moved;
ALTER TABLE public.model RENAME COLUMN max_tokens TO max_tokens__moved;
ALTER TABLE public.model RENAME COLUMN token_limit TO token_limit__moved;
ALTER TABLE public.model RENAME COLUMN cost_per_token TO cost_per_token__moved;
ALTER TABLE public.model RENAME COLUMN configuration TO configuration__moved;
ALTER TABLE public.model RENAME COLUMN model_metadata TO model_metadata__moved;
ALTER TABLE public.model RENAME COLUMN created_at TO created_at__moved;
ALTER TABLE public.model RENAME COLUMN updated_at TO updated_at__moved;

ALTER TABLE public.model
    ADD COLUMN id varchar(36),
    ADD COLUMN model_id varchar(100),
    ADD COLUMN provider varchar(50),
    ADD COLUMN display_name varchar(100),
    ADD COLUMN description varchar,
    ADD COLUMN capabilities varchar[],
    ADD COLUMN status varchar(50),
    ADD COLUMN max_tokens integer,
    ADD COLUMN token_limit integer,
    ADD COLUMN cost_per_token double precision,
    ADD COLUMN configuration json,
    ADD COLUMN model_metadata json,
    ADD COLUMN created_at timestamptz,
    ADD COLUMN updated_at timestamptz;

-- One rewrite fills them all.
ALTER TABLE public.model
    ALTER COLUMN id TYPE varchar(36) USING id__new::text,
    ALTER COLUMN model_id TYPE varchar(100) USING model_id__moved,
    ALTER COLUMN provider TYPE varchar(50) USING lower(provider__new),
    ALTER COLUMN display_name TYPE varchar(100) USING display_name__moved,
    ALTER COLUMN description TYPE varchar USING description__moved,
    ALTER COLUMN capabilities TYPE varchar[] USING lower(capabilities__new::text)::varchar[],
    ALTER COLUMN status TYPE varchar(50) USING lower(status__new),
    ALTER COLUMN max_tokens TYPE integer USING max_tokens__moved,
    ALTER COLUMN token_limit TYPE integer USING token_limit__moved,
    ALTER COLUMN cost_per_token TYPE double precision USING cost_per_token__moved,
    ALTER COLUMN configuration TYPE json USING configuration__moved,
    ALTER COLUMN model_metadata TYPE json USING model_metadata__moved,
    ALTER COLUMN created_at TYPE timestamptz USING created_at__moved,
    ALTER COLUMN updated_at TYPE timestamptz USING updated_at__moved;

CALL trueup.silence_triggers('public.model');

-- The spellings that cannot be derived, where the value is still the same.
UPDATE public.model AS t
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
    END,
    capabilities = CASE
        WHEN t.capabilities IS NOT DISTINCT FROM lower(r.capabilities::text)::varchar[]
        THEN r.capabilities__old
        ELSE t.capabilities
    END,
    status = CASE
        WHEN t.status IS NOT DISTINCT FROM lower(r.status)
        THEN r.status__old
        ELSE t.status
    END
FROM trueup.model_reversal AS r
WHERE t.id = r.id::text;

CALL trueup.copy_columns('public.model', '__moved', '');

CALL trueup.copy_columns('public.model', '__new', '');

ALTER TABLE public.model
    DROP COLUMN model_id__moved,
    DROP COLUMN display_name__moved,
    DROP COLUMN description__moved,
    DROP COLUMN max_tokens__moved,
    DROP COLUMN token_limit__moved,
    DROP COLUMN cost_per_token__moved,
    DROP COLUMN configuration__moved,
    DROP COLUMN model_metadata__moved,
    DROP COLUMN created_at__moved,
    DROP COLUMN updated_at__moved;

ALTER TABLE public.model
    ALTER COLUMN id SET NOT NULL,
    ALTER COLUMN model_id SET NOT NULL,
    ALTER COLUMN provider SET NOT NULL,
    ALTER COLUMN capabilities SET NOT NULL,
    ALTER COLUMN status SET NOT NULL,
    ALTER COLUMN created_at SET NOT NULL,
    ALTER COLUMN created_at SET DEFAULT now(),
    ALTER COLUMN updated_at SET NOT NULL,
    ALTER COLUMN updated_at SET DEFAULT now(),
    ADD CONSTRAINT models_model_id_key UNIQUE (model_id),
    ADD CONSTRAINT models_pkey PRIMARY KEY (id);

CALL trueup.name_not_nulls(
    'public.model',
    'models',
    ARRAY['id', 'model_id', 'provider', 'capabilities', 'status', 'created_at', 'updated_at']::name[]
);

ALTER TABLE public.model RENAME COLUMN id TO id__old;
ALTER TABLE public.model RENAME COLUMN id__new TO id;
ALTER TABLE public.model RENAME COLUMN provider TO provider__old;
ALTER TABLE public.model RENAME COLUMN provider__new TO provider;
ALTER TABLE public.model RENAME COLUMN capabilities TO capabilities__old;
ALTER TABLE public.model RENAME COLUMN capabilities__new TO capabilities;
ALTER TABLE public.model RENAME COLUMN status TO status__old;
ALTER TABLE public.model RENAME COLUMN status__new TO status;

CREATE UNIQUE INDEX model_pkey ON public.model USING btree (id);

ALTER TABLE public.request
    ADD CONSTRAINT request_model_id_fkey
    FOREIGN KEY (model_id)
    REFERENCES public.model (id);
CALL trueup.put_back('public.model');

-- Where references find how a key is spelled. A view follows renames: the switch does not
-- touch its names.
CREATE VIEW trueup.model_sides AS SELECT id__old AS id__old, id AS id FROM public.model;

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

    -- Two indexes guard this key, and ON CONFLICT watches one: a key that is there needs no help.
    IF TG_OP = 'INSERT' AND NOT EXISTS (SELECT FROM public.model AS t WHERE t.id__old = NEW.id__old) THEN
        PERFORM trueup.hold_key(NEW.id::text, TG_RELID);
    END IF;

    RETURN NEW;
END
$$;

REVOKE EXECUTE ON FUNCTION trueup.model_sync() FROM PUBLIC;

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
