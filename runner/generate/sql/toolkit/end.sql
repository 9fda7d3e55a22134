DO $$
DECLARE
    left_over regprocedure;
BEGIN
    IF trueup.is_called({{ own_toolkit }}) THEN
        RETURN;
    END IF;
    -- Other files of the toolkit left theirs where something still called them.
    FOR left_over IN SELECT oid FROM pg_proc WHERE pronamespace = 'trueup'::regnamespace LOOP
        EXECUTE format('DROP ROUTINE %s', left_over);
    END LOOP;
    DROP TABLE IF EXISTS trueup.progress, trueup.grants, trueup.odometer, trueup.kept;
    -- trueup's own records stay.
    IF NOT EXISTS (SELECT FROM pg_class WHERE relnamespace = 'trueup'::regnamespace) THEN
        DROP SCHEMA trueup;
    END IF;
END
$$;
