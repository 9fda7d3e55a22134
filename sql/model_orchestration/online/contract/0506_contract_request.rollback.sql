-- Makes the old side of request again: one rewrite under the lock.

SET LOCAL lock_timeout = '200ms';
SET LOCAL maintenance_work_mem = '1GB';

LOCK TABLE public.request IN ACCESS EXCLUSIVE MODE;
CALL trueup.set_aside('public.request');

ALTER INDEX public.request_created_at_idx RENAME TO requests_created_at_idx;
ALTER INDEX public.request_request_id_key RENAME TO requests_request_id_key;

DROP INDEX public.requests_created_at_idx;
ALTER TABLE public.request DROP CONSTRAINT request_pkey;
DROP INDEX public.request_provider_success_idx;
ALTER TABLE public.request DROP CONSTRAINT requests_request_id_key;

-- The columns from the first converted one on are made again, so that the old order comes back.
ALTER TABLE public.request RENAME COLUMN id TO id__new;
ALTER TABLE public.request RENAME COLUMN request_type TO request_type__new;
ALTER TABLE public.request RENAME COLUMN model_id TO model_id__new;
ALTER TABLE public.request RENAME COLUMN provider TO provider__new;
ALTER TABLE public.request RENAME COLUMN request_id TO request_id__moved;
ALTER TABLE public.request RENAME COLUMN user_id TO user_id__moved;
ALTER TABLE public.request RENAME COLUMN project_id TO project_id__moved;
ALTER TABLE public.request RENAME COLUMN task_id TO task_id__moved;
ALTER TABLE public.request RENAME COLUMN request_data TO request_data__moved;
ALTER TABLE public.request RENAME COLUMN response_data TO response_data__moved;
ALTER TABLE public.request RENAME COLUMN prompt_tokens TO prompt_tokens__moved;
ALTER TABLE public.request RENAME COLUMN completion_tokens TO completion_tokens__moved;
ALTER TABLE public.request RENAME COLUMN total_tokens TO total_tokens__moved;
ALTER TABLE public.request RENAME COLUMN latency_ms TO latency_ms__moved;
ALTER TABLE public.request RENAME COLUMN cost TO cost__moved;
ALTER TABLE public.request RENAME COLUMN success TO success__moved;
ALTER TABLE public.request RENAME COLUMN error_message TO error_message__moved;
ALTER TABLE public.request RENAME COLUMN error_code TO error_code__moved;
ALTER TABLE public.request RENAME COLUMN created_at TO created_at__moved;
ALTER TABLE public.request RENAME COLUMN completed_at TO completed_at__moved;

ALTER TABLE public.request
    ADD COLUMN id varchar(36),
    ADD COLUMN request_id varchar(100),
    ADD COLUMN request_type varchar(50),
    ADD COLUMN model_id varchar(36),
    ADD COLUMN provider varchar(50),
    ADD COLUMN user_id varchar(100),
    ADD COLUMN project_id varchar(100),
    ADD COLUMN task_id varchar(100),
    ADD COLUMN request_data json,
    ADD COLUMN response_data json,
    ADD COLUMN prompt_tokens integer,
    ADD COLUMN completion_tokens integer,
    ADD COLUMN total_tokens integer,
    ADD COLUMN latency_ms double precision,
    ADD COLUMN cost double precision,
    ADD COLUMN success boolean,
    ADD COLUMN error_message varchar,
    ADD COLUMN error_code varchar(50),
    ADD COLUMN created_at timestamptz,
    ADD COLUMN completed_at timestamptz;

-- One rewrite fills them all.
ALTER TABLE public.request
    ALTER COLUMN id TYPE varchar(36) USING id__new::text,
    ALTER COLUMN request_id TYPE varchar(100) USING request_id__moved,
    ALTER COLUMN request_type TYPE varchar(50) USING lower(request_type__new),
    ALTER COLUMN model_id TYPE varchar(36) USING model_id__new::text,
    ALTER COLUMN provider TYPE varchar(50) USING lower(provider__new),
    ALTER COLUMN user_id TYPE varchar(100) USING user_id__moved,
    ALTER COLUMN project_id TYPE varchar(100) USING project_id__moved,
    ALTER COLUMN task_id TYPE varchar(100) USING task_id__moved,
    ALTER COLUMN request_data TYPE json USING request_data__moved,
    ALTER COLUMN response_data TYPE json USING response_data__moved,
    ALTER COLUMN prompt_tokens TYPE integer USING prompt_tokens__moved,
    ALTER COLUMN completion_tokens TYPE integer USING completion_tokens__moved,
    ALTER COLUMN total_tokens TYPE integer USING total_tokens__moved,
    ALTER COLUMN latency_ms TYPE double precision USING latency_ms__moved,
    ALTER COLUMN cost TYPE double precision USING cost__moved,
    ALTER COLUMN success TYPE boolean USING success__moved,
    ALTER COLUMN error_message TYPE varchar USING error_message__moved,
    ALTER COLUMN error_code TYPE varchar(50) USING error_code__moved,
    ALTER COLUMN created_at TYPE timestamptz USING created_at__moved,
    ALTER COLUMN completed_at TYPE timestamptz USING completed_at__moved;

CALL trueup.silence_triggers('public.request');

-- The spellings that cannot be derived, where the value is still the same.
UPDATE public.request AS t
SET
    id = CASE
        WHEN t.id IS NOT DISTINCT FROM r.id::text
        THEN r.id__old
        ELSE t.id
    END,
    request_type = CASE
        WHEN t.request_type IS NOT DISTINCT FROM lower(r.request_type)
        THEN r.request_type__old
        ELSE t.request_type
    END,
    provider = CASE
        WHEN t.provider IS NOT DISTINCT FROM lower(r.provider)
        THEN r.provider__old
        ELSE t.provider
    END
FROM trueup.request_reversal AS r
WHERE t.id = r.id::text;

CALL trueup.copy_columns('public.request', '__moved', '');

CALL trueup.copy_columns('public.request', '__new', '');

ALTER TABLE public.request
    DROP COLUMN request_id__moved,
    DROP COLUMN user_id__moved,
    DROP COLUMN project_id__moved,
    DROP COLUMN task_id__moved,
    DROP COLUMN request_data__moved,
    DROP COLUMN response_data__moved,
    DROP COLUMN prompt_tokens__moved,
    DROP COLUMN completion_tokens__moved,
    DROP COLUMN total_tokens__moved,
    DROP COLUMN latency_ms__moved,
    DROP COLUMN cost__moved,
    DROP COLUMN success__moved,
    DROP COLUMN error_message__moved,
    DROP COLUMN error_code__moved,
    DROP COLUMN created_at__moved,
    DROP COLUMN completed_at__moved;

ALTER TABLE public.request
    ALTER COLUMN id SET NOT NULL,
    ALTER COLUMN request_id SET NOT NULL,
    ALTER COLUMN request_type SET NOT NULL,
    ALTER COLUMN model_id SET NOT NULL,
    ALTER COLUMN provider SET NOT NULL,
    ALTER COLUMN request_data SET NOT NULL,
    ALTER COLUMN success SET NOT NULL,
    ALTER COLUMN created_at SET NOT NULL,
    ALTER COLUMN created_at SET DEFAULT now(),
    ADD CONSTRAINT requests_pkey PRIMARY KEY (id),
    ADD CONSTRAINT requests_request_id_key UNIQUE (request_id);

CREATE INDEX requests_created_at_idx ON public.request USING btree (created_at);
CREATE INDEX requests_model_id_idx ON public.request USING btree (model_id);
CREATE INDEX requests_provider_success_idx ON public.request USING btree (provider, success);

CALL trueup.name_not_nulls(
    'public.request',
    'requests',
    ARRAY['id', 'request_id', 'request_type', 'model_id', 'provider', 'request_data', 'success', 'created_at']::name[]
);

ALTER TABLE public.request RENAME COLUMN id TO id__old;
ALTER TABLE public.request RENAME COLUMN id__new TO id;
ALTER TABLE public.request RENAME COLUMN request_type TO request_type__old;
ALTER TABLE public.request RENAME COLUMN request_type__new TO request_type;
ALTER TABLE public.request RENAME COLUMN model_id TO model_id__old;
ALTER TABLE public.request RENAME COLUMN model_id__new TO model_id;
ALTER TABLE public.request RENAME COLUMN provider TO provider__old;
ALTER TABLE public.request RENAME COLUMN provider__new TO provider;

CREATE UNIQUE INDEX request_pkey ON public.request USING btree (id);
CREATE INDEX request_provider_success_idx ON public.request USING btree (provider, success);

CALL trueup.put_back('public.request');

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
        NEW.request_type__old := lower(NEW.request_type);
        NEW.model_id__old := coalesce(
            (SELECT p.id__old FROM trueup.model_sides AS p WHERE p.id = NEW.model_id),
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
                (SELECT p.id__old FROM trueup.model_sides AS p WHERE p.id = NEW.model_id),
                NEW.model_id::text
            );
        END IF;
        IF NEW.provider__old IS DISTINCT FROM OLD.provider__old THEN
            NEW.provider := upper(NEW.provider__old);
        ELSIF NEW.provider IS DISTINCT FROM OLD.provider THEN
            NEW.provider__old := lower(NEW.provider);
        END IF;
    END IF;

    -- Two indexes guard this key, and ON CONFLICT watches one: a key that is there needs no help.
    IF TG_OP = 'INSERT' AND NOT EXISTS (SELECT FROM public.request AS t WHERE t.id__old = NEW.id__old) THEN
        PERFORM trueup.hold_key(NEW.id::text, TG_RELID);
    END IF;

    RETURN NEW;
END
$$;

REVOKE EXECUTE ON FUNCTION trueup.request_sync() FROM PUBLIC;

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
