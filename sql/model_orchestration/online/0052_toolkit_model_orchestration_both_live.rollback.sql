-- Undo: Keep owners, grants and keys right while both contracts live.
--
-- does:    drops what the file made, unless other files still call it
-- locks:   none
-- cost:    no rewrite, no scan

CALL trueup.fix_transaction();

DO $$
BEGIN
    IF NOT trueup.is_called('^[0-9]+_toolkit_model_orchestration_(common|both_live|transition|usage_counter|set_aside)(_[0-9]+)?$') THEN
        DROP ROUTINE trueup.require_index, trueup.hold_key, trueup.share_sides, trueup.lock_tables, trueup.require_no_functions, trueup.fill_rows, trueup.woken_triggers, trueup.give_grants;
        DROP TABLE trueup.progress, trueup.grants;
    END IF;
END
$$;
