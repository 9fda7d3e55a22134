-- Undo: Count the uses of old names, and stop contract while one may be in use.
--
-- does:    drops what the file made, unless other files still call it
-- locks:   none
-- cost:    no rewrite, no scan

CALL trueup.fix_transaction();

DO $$
BEGIN
    IF NOT trueup.is_called('^[0-9]+_toolkit_model_orchestration_(common|both_live|transition|usage_counter|set_aside)(_[0-9]+)?$') THEN
        DROP ROUTINE trueup.require_unused, trueup.read_odometer, trueup.witnesses, trueup.show_odometer, trueup.share_marker;
        DROP TABLE trueup.odometer;
    END IF;
END
$$;
