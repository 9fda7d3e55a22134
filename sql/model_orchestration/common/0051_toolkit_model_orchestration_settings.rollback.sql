-- Undo: Make the schema trueup, and each file independent of how role and server are set.
--
-- does:    drops it again, and the schema when nothing else lives in it
-- locks:   none
-- cost:    no rewrite, no scan
-- undo:    apply 0051_toolkit_model_orchestration_settings again

SET LOCAL search_path = pg_catalog;
CALL trueup.fix_settings();

DO $$
DECLARE
    left_over regprocedure;
BEGIN
    IF trueup.is_called('^[0-9]+_toolkit_model_orchestration_(settings|guard|rows|views|servers|both_live|usage_counter|set_aside)(_[0-9]+)?$') THEN
        RETURN;
    END IF;
    -- Other files of the toolkit left theirs where something still called them.
    FOR left_over IN SELECT oid FROM pg_proc WHERE pronamespace = 'trueup'::regnamespace LOOP
        EXECUTE format('DROP ROUTINE %s', left_over);
    END LOOP;
    DROP TABLE IF EXISTS trueup.progress, trueup.grants, trueup.odometer;
    -- trueup's own records stay.
    IF NOT EXISTS (SELECT FROM pg_class WHERE relnamespace = 'trueup'::regnamespace) THEN
        DROP SCHEMA trueup;
    END IF;
END
$$;
