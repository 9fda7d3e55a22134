DO $$
BEGIN
    -- Another unit of tables may still need the functions, and trueup's own records stay.
    IF EXISTS (
        SELECT FROM pg_proc
        WHERE pronamespace = 'trueup'::regnamespace AND proname LIKE '%\_sync'
    )
        OR EXISTS (
            SELECT FROM pg_class
            WHERE relnamespace = 'trueup'::regnamespace
                AND (relname LIKE '%\_reversal' OR relkind = 'm')
        )
    THEN
        RETURN;
    END IF;

{% if counts %}
    DROP PROCEDURE trueup.require_unused;
    DROP PROCEDURE trueup.read_odometer;
    DROP FUNCTION trueup.unused_since;
    DROP FUNCTION trueup.witnesses;
    DROP FUNCTION trueup.show_odometer;
    DROP PROCEDURE trueup.share_marker;
    DROP TABLE trueup.odometer;
{% endif %}
    DROP FUNCTION trueup.hold_key;
    DROP PROCEDURE trueup.require_index;
    DROP PROCEDURE trueup.require_built;
    DROP PROCEDURE trueup.if_there;
    DROP PROCEDURE trueup.name_not_null;
    DROP PROCEDURE trueup.name_not_nulls;
    DROP PROCEDURE trueup.require_same_view;
    DROP PROCEDURE trueup.tell_forgotten;
    DROP PROCEDURE trueup.forget_spellings;
    DROP PROCEDURE trueup.forget_deleted;
    DROP FUNCTION trueup.kept_since;
    DROP PROCEDURE trueup.keep_spellings;
    DROP PROCEDURE trueup.revoke_execute;
    DROP PROCEDURE trueup.revoke_all;
    DROP PROCEDURE trueup.store_column;
    DROP PROCEDURE trueup.put_back;
    DROP PROCEDURE trueup.silence_triggers;
    DROP PROCEDURE trueup.carry_grants;
    DROP PROCEDURE trueup.copy_grants;
    DROP PROCEDURE trueup.require_silence;
    DROP PROCEDURE trueup.require_labels;
    DROP FUNCTION trueup.waking_triggers;
    DROP PROCEDURE trueup.require_clean;
    DROP PROCEDURE trueup.refuse_rows;
    DROP FUNCTION trueup.is_uuid;
    DROP PROCEDURE trueup.require_same;
    DROP FUNCTION trueup.standing;
    DROP TABLE trueup.kept;
    DROP TABLE trueup.grants;
    DROP PROCEDURE trueup.require_settings;
    DROP PROCEDURE trueup.fix_settings;
    DROP FUNCTION trueup.to_set;
    DROP TABLE trueup.progress;

    IF NOT EXISTS (SELECT FROM pg_class WHERE relnamespace = 'trueup'::regnamespace) THEN
        DROP SCHEMA trueup;
    END IF;
END
$$;
