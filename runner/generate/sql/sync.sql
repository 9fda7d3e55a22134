CREATE FUNCTION {{ function }}()
RETURNS trigger
LANGUAGE plpgsql
{% if looks_up %}
-- Whoever may write a reference need not be allowed to read its parent, as with a foreign key.
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
{% endif %}
AS $$
BEGIN
    IF TG_OP = 'INSERT' AND {{ written_by_new }} THEN
        -- The new contract writes.
{% for c in columns %}
        NEW.{{ c.old }} := {{ c.inserted }};
{% endfor %}
{% if moved %}
    ELSIF TG_OP = 'INSERT'
{% for condition in moved %}
        AND ({{ condition }})
{% endfor %}
    THEN
        -- An UPDATE moves a row that is in step from one partition to another.
        NULL;
{% endif %}
    ELSIF TG_OP = 'INSERT' OR {{ unconverted }} THEN
        -- The old contract writes, or the backfill has not come to this row yet.
        PERFORM FROM {{ marker }};
{% for c in columns %}
        NEW.{{ c.new }} := {{ c.converted }};
{% if c.kept %}
        NEW.{{ c.kept }} := NEW.{{ c.old }};
{% endif %}
{% endfor %}
    ELSE
        -- The side that changed wins.
{% for c in columns %}
        IF {{ c.old_changed }} THEN
            NEW.{{ c.new }} := {{ c.converted }};
{% if c.kept %}
            NEW.{{ c.kept }} := NEW.{{ c.old }};
{% endif %}
        ELSIF {{ c.new_changed }}
{%- if c.kept %}

            OR NEW.{{ c.kept }} IS DISTINCT FROM OLD.{{ c.kept }}
        THEN
{% else %} THEN
{% endif %}
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
