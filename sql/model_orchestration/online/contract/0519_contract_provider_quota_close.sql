-- Take the old name provider_quotas away, once nobody uses it.
--
-- does:    drops the compat view; refuses while the odometers do not prove that provider_quotas was
--          unused for the waiting period (trueup.waiting_period, 24 hours), and while both sides of
--          a row differ in meaning
-- locks:   ACCESS SHARE on provider_quota, ACCESS EXCLUSIVE on the view provider_quotas for a few
--          ms; gives up after 200 ms and can be run again
-- cost:    reads provider_quota once
-- undo:    instant
-- depends: 0403_switch_provider_quota

SET LOCAL search_path = pg_catalog;
CALL trueup.fix_settings();

CALL trueup.require_unused('public.provider_quotas');
-- Something may have written past the trigger: one side alone would be lost.
CALL trueup.require_clean(
    'public.provider_quota',
    uuids => ARRAY['id__old'],
    rules => ARRAY[
        [
            'id',
            $$(id, provider) IS DISTINCT FROM (id__old::uuid, upper(provider__old))$$,
            'stands in a row whose two sides differ'
        ]
    ]
);

SET LOCAL lock_timeout = '200ms';

DROP VIEW public.provider_quotas;
DROP MATERIALIZED VIEW trueup.provider_quotas_used;
DELETE FROM trueup.odometer WHERE compat_view = 'public.provider_quotas';
