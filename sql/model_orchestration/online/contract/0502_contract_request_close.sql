-- Take the old name requests away, once nobody uses it.
--
-- does:    drops the compat view; refuses while the odometers do not prove that requests was unused
--          for the waiting period (trueup.waiting_period, 24 hours), and while both sides of a row
--          differ in meaning
-- locks:   ACCESS SHARE on request, ACCESS EXCLUSIVE on the view requests for a few ms; gives up
--          after 200 ms and can be run again
-- cost:    reads request once
-- undo:    instant
-- depends: 0401_switch_model 0402_switch_request

SET LOCAL search_path = pg_catalog;
CALL trueup.fix_settings();

CALL trueup.require_unused('public.requests');
-- Something may have written past the trigger: one side alone would be lost.
CALL trueup.require_clean(
    'public.request',
    uuids => ARRAY['id__old', 'model_id__old'],
    rules => ARRAY[
        [
            'id',
            $$(id, request_type, model_id, provider) IS DISTINCT FROM (id__old::uuid, upper(request_type__old), model_id__old::uuid, upper(provider__old))$$,
            'stands in a row whose two sides differ'
        ]
    ]
);

SET LOCAL lock_timeout = '200ms';

DROP VIEW public.requests;
DROP MATERIALIZED VIEW trueup.requests_used;
DELETE FROM trueup.odometer WHERE compat_view = 'public.requests';
