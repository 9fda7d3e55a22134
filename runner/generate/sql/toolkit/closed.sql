DO $$
DECLARE
    routine regprocedure;
BEGIN
    FOR routine IN
        SELECT p.oid FROM pg_proc AS p
        WHERE p.pronamespace = 'trueup'::regnamespace
            AND p.proname = ANY ({{ names }})
    LOOP
        CALL trueup.revoke_execute(routine);
    END LOOP;
END
$$;
