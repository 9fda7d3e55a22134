CREATE FUNCTION {{ function }}()
-- A client needs no right for it that it did not need before; nobody else may attach it to a table.
RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS {{ dollar }}
BEGIN
{% if moved %}
    IF TG_OP = 'INSERT' AND {{ filled }}
{% for condition in moved %}
        AND ({{ condition }})
{% endfor %}
    THEN
        -- An UPDATE moves a row that is in step from one partition to another.
        NULL;
    ELSIF{% else %}
    IF{% endif %} TG_OP = 'INSERT' AND {{ written_by_new }} THEN
        -- The new contract writes.
{% for c in columns %}
        NEW.{{ c.old }} := {{ c.inserted }};
{% endfor %}
    ELSIF TG_OP = 'INSERT' OR {{ unconverted }} THEN
        -- The old contract writes, or the backfill has not come to this row yet.
{% if marker %}
        PERFORM FROM {{ marker }};
{% endif %}
{% for c in columns %}
        NEW.{{ c.new }} := {{ c.converted }};
{% if c.kept %}
        NEW.{{ c.kept }} := NEW.{{ c.old }};
{% endif %}
{% endfor %}
    ELSE
        -- The side that changed wins; if both did, the old one.
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

{% for key in twin_keys %}
    -- Two indexes guard this key, and ON CONFLICT watches one: a key that is there needs no help.
    IF TG_OP = 'INSERT' THEN
        IF NOT has_table_privilege({{ keys_named }}, 'SELECT') THEN -- the table has got another owner
            PERFORM trueup.hold_key({{ key.text }}, TG_RELID);
        ELSIF NOT EXISTS (SELECT FROM {{ keys }} AS t WHERE {{ key.there }}) THEN
            PERFORM trueup.hold_key({{ key.text }}, TG_RELID);
        END IF;
    END IF;

{% endfor %}
    RETURN NEW;
END
{{ dollar }};
