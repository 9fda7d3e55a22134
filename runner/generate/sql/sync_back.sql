CREATE FUNCTION {{ function }}()
-- Whoever writes a row need not be allowed to read its parent, nor the old spellings.
RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS {{ dollar }}
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

{% for key in twin_keys %}
    IF TG_OP = 'INSERT' AND NOT EXISTS (SELECT FROM {{ keys }} AS t WHERE {{ key.there }}) THEN
        PERFORM trueup.hold_key({{ key.text }}, TG_RELID);
    END IF;

{% endfor %}
    RETURN NEW;
END
{{ dollar }};
