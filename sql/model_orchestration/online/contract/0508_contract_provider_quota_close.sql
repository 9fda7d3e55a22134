-- Take the old name provider_quotas away, once nobody uses it.
--
-- does:    drops the compat view; refuses while the odometers do not prove that provider_quotas was
--          unused for the waiting period (trueup.waiting_period, 24 hours)
-- locks:   ACCESS EXCLUSIVE on the view provider_quotas for a few ms; gives up after 200 ms and can
--          be run again
-- cost:    none
-- undo:    instant
-- depends: 0403_switch_provider_quota

CALL trueup.require_unused('public.provider_quotas');

SET LOCAL lock_timeout = '200ms';

DROP VIEW public.provider_quotas;
DROP MATERIALIZED VIEW trueup.provider_quotas_used;
DELETE FROM trueup.odometer WHERE compat_view = 'public.provider_quotas';
