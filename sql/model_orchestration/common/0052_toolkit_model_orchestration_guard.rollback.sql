-- Drops it again, unless other files still call it.

SET LOCAL search_path = pg_catalog;
CALL trueup.fix_settings();

DO $$
BEGIN
    IF NOT trueup.is_called('^[0-9]+_toolkit_model_orchestration_(settings|guard|rows|views|servers|both_live|usage_counter|spellings|set_aside)(_[0-9]+)?$') THEN
        DROP ROUTINE trueup.require_same, trueup.standing;
    END IF;
END
$$;
