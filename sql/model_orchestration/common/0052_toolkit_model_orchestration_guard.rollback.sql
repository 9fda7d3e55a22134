-- Undo: Stop a file at a table that has changed since the file was written.
--
-- does:    drops what the file made, unless other files still call it
-- locks:   none
-- cost:    no rewrite, no scan
-- undo:    apply 0052_toolkit_model_orchestration_guard again

SET LOCAL search_path = pg_catalog;
CALL trueup.fix_settings();

DO $$
BEGIN
    IF NOT trueup.is_called('^[0-9]+_toolkit_model_orchestration_(settings|guard|rows|views|servers|both_live|transition|usage_counter|spellings|set_aside)(_[0-9]+)?$') THEN
        DROP ROUTINE trueup.require_same, trueup.standing;
    END IF;
END
$$;
