CREATE FUNCTION {{ function }}()
-- Whoever deletes a row need not be allowed to read old spellings.
RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET row_security = on AS {{ dollar }}
BEGIN
    IF TG_OP = 'TRUNCATE' THEN
        DELETE FROM {{ reversal }};
    ELSE
        DELETE FROM {{ reversal }} AS r WHERE {{ same_row }};
    END IF;
    RETURN NULL;
EXCEPTION
    WHEN undefined_table OR insufficient_privilege THEN
        RETURN NULL; -- none are kept yet, or no more; or the table has got another owner
END
{{ dollar }};
