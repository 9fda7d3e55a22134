-- Clients call none of these, whatever the default privileges say.
DO $$
DECLARE
    routine regprocedure;
BEGIN
    FOR routine IN SELECT p.oid FROM pg_proc AS p WHERE p.pronamespace = 'trueup'::regnamespace LOOP
        CALL trueup.revoke_execute(routine);
    END LOOP;
END
$$;
CALL trueup.revoke_all('trueup.progress');
CALL trueup.revoke_all('trueup.grants');
CALL trueup.revoke_all('trueup.kept');
{% if counts %}
CALL trueup.revoke_all('trueup.odometer');
-- `trueup status` calls these as any role. They run with the rights of their caller.
GRANT EXECUTE ON FUNCTION
    trueup.show_odometer(regclass, boolean),
    trueup.witnesses(regclass, jsonb, text),
    trueup.unused_since(regclass)
TO PUBLIC;
{% endif %}

CALL trueup.require_settings();
