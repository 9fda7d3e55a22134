-- Undo: Keep the old spellings that a rollback needs, and let them go when their time has come.
--
-- does:    drops what the file made, unless other files still call it
-- locks:   none
-- cost:    no rewrite, no scan
-- undo:    apply 0057_toolkit_model_orchestration_spellings again

SET LOCAL search_path = pg_catalog;
CALL trueup.fix_settings();

DO $$
BEGIN
    IF NOT trueup.is_called('^[0-9]+_toolkit_model_orchestration_(settings|guard|rows|views|servers|both_live|transition|usage_counter|spellings|set_aside)(_[0-9]+)?$') THEN
        DROP ROUTINE trueup.tell_forgotten, trueup.forget_deleted, trueup.keep_spellings, trueup.forget_spellings, trueup.kept_since;
        DROP TABLE trueup.kept;
    END IF;
END
$$;
