-- Undo: Let one file fit every server.
--
-- does:    drops what the file made, unless other files still call it
-- locks:   none
-- cost:    no rewrite, no scan
-- undo:    apply 0054_toolkit_model_orchestration_servers again

SET LOCAL search_path = pg_catalog;
CALL trueup.fix_settings();

DO $$
BEGIN
    IF NOT trueup.is_called('^[0-9]+_toolkit_model_orchestration_(settings|guard|rows|views|servers|both_live|transition|usage_counter|spellings|set_aside)(_[0-9]+)?$') THEN
        DROP ROUTINE trueup.rename_not_nulls;
    END IF;
END
$$;
