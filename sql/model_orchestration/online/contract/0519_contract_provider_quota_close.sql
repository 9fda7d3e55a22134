-- Take the old name provider_quotas away, once nobody uses it.
--
-- does:    drops the compat view; from then on triggers on provider_quota forget the old spellings of deleted rows;
--          refuses while the usage counter does not prove that provider_quotas was unused for the waiting period
--          (trueup.waiting_period, 24 hours), and while both sides of a row differ in meaning; gives each function of a
--          trigger to its table's owner, with whose rights it runs
-- locks:   ACCESS EXCLUSIVE on the view provider_quotas, SHARE ROW EXCLUSIVE on provider_quota for a few ms; gives up
--          after 200 ms: run it again
-- cost:    reads provider_quota once
-- undo:    instant
-- depends: 0403_switch_provider_quota

CALL trueup.fix_transaction();

CALL trueup.require_same('public.provider_quota', ARRAY[
    'column id__old NOT NULL', 'column id NOT NULL', 'column provider__old NOT NULL', 'column provider NOT NULL',
    'column daily_token_limit', 'column monthly_token_limit', 'column daily_cost_limit', 'column monthly_cost_limit',
    'column daily_tokens_used NOT NULL', 'column monthly_tokens_used NOT NULL', 'column daily_cost_used NOT NULL',
    'column monthly_cost_used NOT NULL', 'column daily_reset_at', 'column monthly_reset_at',
    'column created_at NOT NULL DEFAULT', 'column updated_at NOT NULL DEFAULT',
    'primary key provider_quotas_pkey (id__old)', 'unique index provider_quota_pkey USING btree (id)',
    'check provider_quota_provider_check (provider)', 'index provider_quotas_provider_idx USING btree (provider__old)',
    'index provider_quota_provider_idx USING btree (provider)', 'view public.provider_quotas'
]);

CALL trueup.require_unused('public.provider_quotas');
-- Something may have written past the trigger: one side alone would be lost.
CALL trueup.require_clean('public.provider_quota', uuids => ARRAY['id__old'], rules => ARRAY[
    ['id', $$(id, provider) IS DISTINCT FROM (id__old::uuid, upper(provider__old COLLATE "C"))$$,
        'stands in a row whose two sides differ']
]);

SET LOCAL lock_timeout = '200ms';
-- Somebody may have used it while the rows were read.
CALL trueup.require_unused('public.provider_quotas');

CALL trueup.give_grants('public.provider_quota', 'public.provider_quotas', since => true);
DROP VIEW public.provider_quotas;
DROP MATERIALIZED VIEW trueup.provider_quotas_used;
DELETE FROM trueup.odometer WHERE compat_view = 'public.provider_quotas';

-- Forgets the old spellings of a row that is deleted.
CREATE FUNCTION trueup.provider_quota_forget()
-- Whoever deletes a row need not be allowed to read old spellings.
RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET row_security = on AS $$
BEGIN
    PERFORM (SELECT pg_get_userbyid(c.relowner) = current_user FROM pg_class AS c WHERE c.oid = TG_RELID) OR trueup.is_own(TG_RELID);
    IF TG_OP = 'TRUNCATE' THEN
        DELETE FROM trueup.provider_quota_reversal;
    ELSE
        DELETE FROM trueup.provider_quota_reversal AS r WHERE r.id = OLD.id;
    END IF;
    RETURN NULL;
EXCEPTION
    WHEN undefined_table OR insufficient_privilege THEN
        RETURN NULL; -- none are kept yet, or no more; or the table has got another owner
END
$$;
CALL trueup.hand_over('public.provider_quota', 'provider_quota_forget');
CREATE TRIGGER zz_trueup_forget AFTER DELETE ON public.provider_quota
FOR EACH ROW EXECUTE FUNCTION trueup.provider_quota_forget();
CREATE TRIGGER zz_trueup_forget_all AFTER TRUNCATE ON public.provider_quota
EXECUTE FUNCTION trueup.provider_quota_forget();
