-- Take the old name requests away, once nobody uses it.
--
-- does:    drops the compat view; refuses while the odometers do not prove that requests was unused
--          for the waiting period (trueup.waiting_period, 24 hours)
-- locks:   ACCESS EXCLUSIVE on the view requests for a few ms; gives up after 200 ms and can be run
--          again
-- cost:    none
-- undo:    instant
-- depends: 0401_switch_model 0402_switch_request

CALL trueup.require_unused('public.requests');

SET LOCAL lock_timeout = '200ms';

DROP VIEW public.requests;
DROP MATERIALIZED VIEW trueup.requests_used;
DELETE FROM trueup.odometer WHERE compat_view = 'public.requests';
