-- Take the old name models away, once nobody uses it.
--
-- does:    drops the compat view; from then on triggers on model forget the old spellings of deleted rows; refuses
--          while the usage counters do not prove that models, requests were unused for the waiting period
--          (trueup.waiting_period, 24 hours), and while both sides of a row differ in meaning; gives each function of a
--          trigger to its table's owner, with whose rights it runs
-- locks:   ACCESS EXCLUSIVE on the view models, SHARE ROW EXCLUSIVE on model for a few ms; gives up after 200 ms: run
--          it again
-- cost:    reads model once
-- undo:    instant
-- depends: 0401_switch_model 0402_switch_request

CALL trueup.fix_transaction();

CALL trueup.require_same('public.model', ARRAY[
    'column id__old NOT NULL', 'column id NOT NULL', 'column model_id NOT NULL', 'column provider__old NOT NULL',
    'column provider NOT NULL', 'column display_name', 'column description', 'column capabilities__old NOT NULL',
    'column capabilities NOT NULL', 'column status__old NOT NULL', 'column status NOT NULL DEFAULT',
    'column max_tokens', 'column token_limit', 'column cost_per_token', 'column configuration', 'column model_metadata',
    'column created_at NOT NULL DEFAULT', 'column updated_at NOT NULL DEFAULT', 'unique models_model_id_key (model_id)',
    'primary key models_pkey (id__old)', 'unique index model_pkey USING btree (id)',
    'check model_provider_check (provider)', 'check model_capabilities_check (capabilities)',
    'check model_status_check (status)', 'view public.models'
]);

CALL trueup.require_unused('public.models');
CALL trueup.require_unused('public.requests');
-- Something may have written past the trigger: one side alone would be lost.
CALL trueup.require_clean('public.model', uuids => ARRAY['id__old'], rules => ARRAY[
    ['id', $$(id, provider, capabilities, status) IS DISTINCT FROM (id__old::uuid, upper(provider__old COLLATE "C"), upper(capabilities__old::text COLLATE "C")::varchar[], upper(status__old COLLATE "C"))$$,
        'stands in a row whose two sides differ']
]);

SET LOCAL lock_timeout = '200ms';
-- Somebody may have used it while the rows were read.
CALL trueup.require_unused('public.models');

CALL trueup.give_grants('public.model', 'public.models', since => true);
DROP VIEW public.models;
DROP MATERIALIZED VIEW trueup.models_used;
DELETE FROM trueup.odometer WHERE compat_view = 'public.models';

-- Forgets the old spellings of a row that is deleted.
CREATE FUNCTION trueup.model_forget()
-- Whoever deletes a row need not be allowed to read old spellings.
RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET row_security = on AS $$
BEGIN
    PERFORM (SELECT pg_get_userbyid(c.relowner) = current_user FROM pg_class AS c WHERE c.oid = TG_RELID) OR trueup.is_own(TG_RELID);
    IF TG_OP = 'TRUNCATE' THEN
        DELETE FROM trueup.model_reversal;
    ELSE
        DELETE FROM trueup.model_reversal AS r WHERE r.id = OLD.id;
    END IF;
    RETURN NULL;
EXCEPTION
    WHEN undefined_table OR insufficient_privilege THEN
        RETURN NULL; -- none are kept yet, or no more; or the table has got another owner
END
$$;
CALL trueup.hand_over('public.model', 'model_forget');
CREATE TRIGGER zz_trueup_forget AFTER DELETE ON public.model
FOR EACH ROW EXECUTE FUNCTION trueup.model_forget();
CREATE TRIGGER zz_trueup_forget_all AFTER TRUNCATE ON public.model
EXECUTE FUNCTION trueup.model_forget();
