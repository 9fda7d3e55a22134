-- Tell the planner about the new columns.
--
-- does:    samples the new columns
-- locks:   SHARE UPDATE EXCLUSIVE on provider_quota: reads and writes go on
-- cost:    reads a sample
-- undo:    nothing to undo
-- depends: 0603_window_provider_quota

CALL trueup.fix_transaction();

ANALYZE public.provider_quota (id, provider);
