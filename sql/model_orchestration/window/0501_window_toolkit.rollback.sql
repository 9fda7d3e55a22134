-- Drops the functions, and the schema when nothing else lives in it.

DO $$
BEGIN
    -- Another unit of tables may still need the functions, and trueup's own records stay.
    IF EXISTS (SELECT FROM trueup.odometer)
        OR EXISTS (
            SELECT FROM pg_class
            WHERE relnamespace = 'trueup'::regnamespace AND relname LIKE '%\_reversal'
        )
    THEN
        RETURN;
    END IF;

    DROP FUNCTION trueup.require_unused;
    DROP FUNCTION trueup.unused_since;
    DROP FUNCTION trueup.read_odometer;
    DROP FUNCTION trueup.name_not_nulls;
    DROP FUNCTION trueup.stand_in;
    DROP FUNCTION trueup.copy_columns;
    DROP FUNCTION trueup.copy_column;
    DROP FUNCTION trueup.refuse_rows;
    DROP FUNCTION trueup.is_uuid;
    DROP TABLE trueup.odometer;
    DROP TABLE trueup.progress;

    IF NOT EXISTS (SELECT FROM pg_class WHERE relnamespace = 'trueup'::regnamespace) THEN
        DROP SCHEMA trueup;
    END IF;
END
$$;
