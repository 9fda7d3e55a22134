-- Undo: Make the schema trueup, with what the files of both strategies call.
--
-- does:    drops what the toolkit's files made, and the schema when nothing else lives in it
-- locks:   none
-- cost:    no rewrite, no scan

CALL trueup.fix_transaction();

DO $$
DECLARE
    left_over text;
BEGIN
    IF trueup.is_called('^[0-9]+_toolkit_model_orchestration_(common|both_live|transition|usage_counter|set_aside)(_[0-9]+)?$') THEN
        RETURN;
    END IF;
    FOR left_over IN
        SELECT format('ROUTINE %s', p.oid::regprocedure) FROM pg_proc AS p
        WHERE p.pronamespace = 'trueup'::regnamespace
        UNION ALL
        SELECT format('TABLE %s', c.oid::regclass) FROM pg_class AS c
        WHERE c.relnamespace = 'trueup'::regnamespace
            AND c.relname IN ('progress', 'grants', 'odometer', 'kept')
    LOOP
        EXECUTE format('DROP %s', left_over);
    END LOOP;
    -- trueup's own records stay.
    IF NOT EXISTS (SELECT FROM pg_class WHERE relnamespace = 'trueup'::regnamespace) THEN
        DROP SCHEMA trueup;
    END IF;
END
$$;
