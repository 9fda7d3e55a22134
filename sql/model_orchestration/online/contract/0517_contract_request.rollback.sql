-- Undo: Leave request with its new contract alone.
--
-- does:    adds the old columns of request again, behind the others and empty: instant; gives each function of a
--          trigger to its table's owner, with whose rights it runs
-- locks:   ACCESS EXCLUSIVE on request for a few ms; gives up after 200 ms: run it again
-- cost:    no rewrite, no scan

CALL trueup.fix_transaction();
SET LOCAL lock_timeout = '200ms';

CALL trueup.tell_forgotten('trueup.request_reversal');

LOCK TABLE public.request IN ACCESS EXCLUSIVE MODE;
CALL trueup.require_same('public.request', ARRAY[
    'column id NOT NULL', 'column request_id NOT NULL', 'column request_type NOT NULL', 'column model_id NOT NULL',
    'column provider NOT NULL', 'column user_id', 'column project_id', 'column task_id', 'column request_data NOT NULL',
    'column response_data', 'column prompt_tokens', 'column completion_tokens', 'column total_tokens',
    'column latency_ms', 'column cost', 'column success NOT NULL', 'column error_message', 'column error_code',
    'column created_at NOT NULL DEFAULT', 'column completed_at', 'foreign key request_model_id_fkey (model_id)',
    'primary key request_pkey (id)', 'unique request_request_id_key (request_id)',
    'check request_type_check (request_type)', 'check request_provider_check (provider)',
    'index request_created_at_idx USING btree (created_at)', 'index request_model_id_idx USING btree (model_id)',
    'index request_provider_success_idx USING btree (provider, success)'
]);

ALTER INDEX public.request_created_at_idx RENAME TO requests_created_at_idx;
ALTER INDEX public.request_request_id_key RENAME TO requests_request_id_key;
CALL trueup.rename_not_nulls('public.request', 'requests', ARRAY[
    'request_id', 'request_data', 'success', 'created_at'
]::name[]);

ALTER TABLE public.request
    ADD COLUMN id__old varchar(36), ADD COLUMN request_type__old varchar(50), ADD COLUMN model_id__old varchar(36),
    ADD COLUMN provider__old varchar(50);
CALL trueup.give_grants('public.request', 'public.request', ARRAY[['id__old', 'id'], ['request_type__old', 'request_type'], ['model_id__old', 'model_id'], ['provider__old', 'provider']]);

ALTER TABLE public.request
    ADD CONSTRAINT request_filled CHECK (id__old IS NOT NULL AND request_type__old IS NOT NULL AND model_id__old IS NOT NULL AND provider__old IS NOT NULL) NOT VALID;

-- Fills the old side of each row that is written meanwhile.
CREATE FUNCTION trueup.request_sync_back()
-- Whoever writes a row need not be allowed to read its parent, nor the old spellings.
RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET row_security = on AS $$
DECLARE
    is_own constant boolean := (SELECT pg_get_userbyid(c.relowner) = current_user FROM pg_class AS c WHERE c.oid = TG_RELID) OR trueup.is_own(TG_RELID);
    kept trueup.request_reversal;
BEGIN
    SELECT * INTO kept FROM trueup.request_reversal AS r WHERE r.id = NEW.id;
    NEW.id__old := coalesce(kept.id__old, NEW.id::text);
    NEW.request_type__old := CASE WHEN kept.request_type = NEW.request_type
        THEN kept.request_type__old ELSE lower(NEW.request_type COLLATE "C") END;
    NEW.model_id__old := coalesce(
        (SELECT p.id__old FROM trueup.model_sides AS p WHERE p.id = NEW.model_id),
        (SELECT r.id__old FROM trueup.model_reversal AS r WHERE r.id = NEW.model_id LIMIT 1),
        NEW.model_id::text
    );
    NEW.provider__old := CASE WHEN kept.provider = NEW.provider
        THEN kept.provider__old ELSE lower(NEW.provider COLLATE "C") END;

    -- Two indexes guard this key, and ON CONFLICT watches one: a key that is there needs no help.
    IF TG_OP = 'INSERT' THEN
        IF NOT is_own OR NOT has_table_privilege('public.request', 'SELECT') THEN
            PERFORM trueup.hold_key(NEW.id::text, TG_RELID);
        ELSIF NOT EXISTS (SELECT FROM public.request AS t WHERE t.id = NEW.id) THEN
            PERFORM trueup.hold_key(NEW.id::text, TG_RELID);
        END IF;
    END IF;

    RETURN NEW;
END
$$;

CALL trueup.hand_over('public.request', 'request_sync_back');

CREATE TRIGGER zz_trueup_sync_insert BEFORE INSERT ON public.request
FOR EACH ROW EXECUTE FUNCTION trueup.request_sync_back();
CREATE TRIGGER zz_trueup_sync_update BEFORE UPDATE ON public.request
FOR EACH ROW WHEN (
    NEW.id__old IS NULL
    OR (NEW.id, NEW.request_type, NEW.model_id, NEW.provider) IS DISTINCT FROM (OLD.id, OLD.request_type, OLD.model_id, OLD.provider)
)
EXECUTE FUNCTION trueup.request_sync_back();
