-- Tell the planner about the new columns.
--
-- does:    samples the tables anew
-- locks:   SHARE UPDATE EXCLUSIVE on model, request: reads and writes go on
-- cost:    reads a sample
-- undo:    nothing to undo
-- depends: 0601_window_model_and_request

CALL trueup.fix_transaction();

ANALYZE public.model;
ANALYZE public.request;
