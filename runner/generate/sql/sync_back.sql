CREATE FUNCTION {{ function }}()
RETURNS trigger
LANGUAGE plpgsql
{% if looks_up %}
-- Whoever writes a row need not be allowed to read its parent, nor the old spellings.
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
{% endif %}
AS $$
BEGIN
{% if moved %}
    IF TG_OP = 'INSERT'
{% for condition in moved %}
        AND ({{ condition }})
{% endfor %}
    THEN
        -- An UPDATE moves a row that is in step from one partition to another.
        RETURN NEW;
    END IF;

{% endif %}
    IF TG_OP = 'INSERT' OR {{ unfilled }} THEN
        -- A new row, or one that the backfill has not come to yet.
{% for c in columns %}
        NEW.{{ c.old }} := {{ c.filled }};
{% endfor %}
    ELSE
{% for c in columns %}
        IF {{ c.changed }} THEN
            NEW.{{ c.old }} := {{ c.updated }};
        END IF;
{% endfor %}
    END IF;

{% if twin_keys %}
    IF TG_OP = 'INSERT' THEN
{% for key in twin_keys %}
        PERFORM trueup.hold_key({{ key }}, TG_RELID);
{% endfor %}
    END IF;

{% endif %}
    RETURN NEW;
END
$$;
