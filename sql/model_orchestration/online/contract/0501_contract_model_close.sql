-- Take the old name models away, once nobody uses it.
--
-- does:    drops the compat view; refuses while the odometers do not prove that models, requests
--          were unused for the waiting period (trueup.waiting_period, 24 hours), and while both
--          sides of a row differ in meaning
-- locks:   ACCESS SHARE on model, ACCESS EXCLUSIVE on the view models for a few ms; gives up after
--          200 ms and can be run again
-- cost:    reads model once
-- undo:    instant
-- depends: 0401_switch_model 0402_switch_request

SET LOCAL search_path = pg_catalog;
CALL trueup.fix_settings();

CALL trueup.require_unused('public.models');
CALL trueup.require_unused('public.requests');
-- Something may have written past the trigger: one side alone would be lost.
CALL trueup.require_clean(
    'public.model',
    uuids => ARRAY['id__old'],
    rules => ARRAY[
        [
            'id',
            $$(id, provider, capabilities, status) IS DISTINCT FROM (id__old::uuid, upper(provider__old), upper(capabilities__old::text)::varchar[], upper(status__old))$$,
            'stands in a row whose two sides differ'
        ]
    ]
);

SET LOCAL lock_timeout = '200ms';

DROP VIEW public.models;
DROP MATERIALIZED VIEW trueup.models_used;
DELETE FROM trueup.odometer WHERE compat_view = 'public.models';
