CREATE FUNCTION {{ function }}()
-- Whoever writes a row need not be allowed to read its parent, nor the old spellings.
RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET row_security = on AS {{ dollar }}
{% if reversal %}
DECLARE
    kept {{ reversal }};
{% endif %}
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
{% if reversal %}
    SELECT * INTO kept FROM {{ reversal }} AS r WHERE {{ same_row }};
{% endif %}
{% for c in columns %}
{% if c.updated %}
    IF TG_OP = 'INSERT' OR {{ unfilled }} THEN
        NEW.{{ c.old }} := {{ c.filled }};
    ELSIF {{ c.changed }} THEN
        NEW.{{ c.old }} := {{ c.updated }};
    END IF;
{% else %}
    NEW.{{ c.old }} := {{ c.filled }};
{% endif %}
{% endfor %}

{% for key in twin_keys %}
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
