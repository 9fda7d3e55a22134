-- Take the old name requests away, once nobody uses it.
--
-- does:    drops the compat view; from then on triggers on request forget the old spellings of deleted rows; refuses
--          while the usage counter does not prove that requests was unused for the waiting period
--          (trueup.waiting_period, 24 hours), and while both sides of a row differ in meaning; gives each function of a
--          trigger to its table's owner, with whose rights it runs
-- locks:   ACCESS EXCLUSIVE on the view requests, SHARE ROW EXCLUSIVE on request for a few ms; gives up after 200 ms:
--          run it again
-- cost:    reads request once
-- undo:    instant
-- depends: 0401_switch_model 0402_switch_request

CALL trueup.fix_transaction();

CALL trueup.require_same('public.request', ARRAY[
    'column id__old NOT NULL', 'column id NOT NULL', 'column request_id NOT NULL', 'column request_type__old NOT NULL',
    'column request_type NOT NULL', 'column model_id__old NOT NULL', 'column model_id NOT NULL',
    'column provider__old NOT NULL', 'column provider NOT NULL', 'column user_id', 'column project_id',
    'column task_id', 'column request_data NOT NULL', 'column response_data', 'column prompt_tokens',
    'column completion_tokens', 'column total_tokens', 'column latency_ms', 'column cost', 'column success NOT NULL',
    'column error_message', 'column error_code', 'column created_at NOT NULL DEFAULT', 'column completed_at',
    'foreign key requests_model_id_fkey (model_id__old)', 'foreign key request_model_id_fkey (model_id)',
    'primary key requests_pkey (id__old)', 'unique index request_pkey USING btree (id)',
    'unique requests_request_id_key (request_id)', 'check request_type_check (request_type)',
    'check request_provider_check (provider)', 'index requests_created_at_idx USING btree (created_at)',
    'index requests_model_id_idx USING btree (model_id__old)', 'index request_model_id_idx USING btree (model_id)',
    'index requests_provider_success_idx USING btree (provider__old, success)',
    'index request_provider_success_idx USING btree (provider, success)', 'view public.requests'
]);

CALL trueup.require_unused('public.requests');
-- Something may have written past the trigger: one side alone would be lost.
CALL trueup.require_clean('public.request', uuids => ARRAY['id__old', 'model_id__old'], rules => ARRAY[
    ['id', $$(id, request_type, model_id, provider) IS DISTINCT FROM (id__old::uuid, upper(request_type__old COLLATE "C"), model_id__old::uuid, upper(provider__old COLLATE "C"))$$,
        'stands in a row whose two sides differ']
]);

SET LOCAL lock_timeout = '200ms';
-- Somebody may have used it while the rows were read.
CALL trueup.require_unused('public.requests');

CALL trueup.give_grants('public.request', 'public.requests', since => true);
DROP VIEW public.requests;
DROP MATERIALIZED VIEW trueup.requests_used;
DELETE FROM trueup.odometer WHERE compat_view = 'public.requests';

-- Forgets the old spellings of a row that is deleted.
CREATE FUNCTION trueup.request_forget()
-- Whoever deletes a row need not be allowed to read old spellings.
RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET row_security = on AS $$
BEGIN
    PERFORM (SELECT pg_get_userbyid(c.relowner) = current_user FROM pg_class AS c WHERE c.oid = TG_RELID) OR trueup.is_own(TG_RELID);
    IF TG_OP = 'TRUNCATE' THEN
        DELETE FROM trueup.request_reversal;
    ELSE
        DELETE FROM trueup.request_reversal AS r WHERE r.id = OLD.id;
    END IF;
    RETURN NULL;
EXCEPTION
    WHEN undefined_table OR insufficient_privilege THEN
        RETURN NULL; -- none are kept yet, or no more; or the table has got another owner
END
$$;
CALL trueup.hand_over('public.request', 'request_forget');
CREATE TRIGGER zz_trueup_forget AFTER DELETE ON public.request
FOR EACH ROW EXECUTE FUNCTION trueup.request_forget();
CREATE TRIGGER zz_trueup_forget_all AFTER TRUNCATE ON public.request
EXECUTE FUNCTION trueup.request_forget();
