{# The functions of triggers, a macro each. Their hole dollar quotes a body so that no other hole can end it. #}

{# Asked in place, as most need no more. #}
{% macro is_own() %}
(SELECT pg_get_userbyid(c.relowner) = current_user FROM pg_class AS c WHERE c.oid = TG_RELID) OR trueup.is_own(TG_RELID)
{%- endmacro %}

{# Until one index guards a key, in what sync() and sync_back() write. #}
{% macro hold_keys(keys, named, twin_keys) %}
{% for key in twin_keys %}

    -- Two indexes guard this key, and ON CONFLICT watches one: a key that is there needs no help.
    IF TG_OP = 'INSERT' THEN
        IF NOT is_own OR NOT has_table_privilege({{ named }}, 'SELECT') THEN
            PERFORM trueup.hold_key({{ key.text }}, TG_RELID);
        ELSIF NOT EXISTS (SELECT FROM {{ keys }} AS t WHERE {{ key.there }}) THEN
            PERFORM trueup.hold_key({{ key.text }}, TG_RELID);
        END IF;
    END IF;
{% endfor %}
{% endmacro %}

{% macro sync(dollar, function, written_by_old, unconverted, columns, defaulted, moved, filled, marker, keys, named, twin_keys) %}
CREATE FUNCTION {{ function }}()
-- A client needs no right for it that it did not need before; nobody else may attach it to a table.
RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS {{ dollar }}
DECLARE
    is_own constant boolean := {{ is_own() }};
    -- Whether the old contract wrote the row; null for an update of a filled row, of which each column tells.
    by_old constant boolean := CASE
        WHEN TG_OP = 'INSERT' THEN {{ written_by_old }}
        WHEN {{ unconverted }} THEN true
    END;
BEGIN
{% set pad = "    " if moved else "" %}
{% if moved %}
    IF TG_OP = 'INSERT' AND {{ filled }}
{% for condition in moved %}
        AND ({{ condition }})
{% endfor %}
    THEN
        -- An UPDATE moves a row that is in step from one partition to another.
        NULL;
    ELSE
{% endif %}
{% if marker %}
{{ pad }}    IF by_old THEN
{{ pad }}        PERFORM FROM {{ marker }};
{{ pad }}    END IF;
{% endif %}
{% if defaulted %}
{{ pad }}    -- A view of the service's own has no defaults: what it leaves out has the table's.
{% for c in defaulted %}
{{ pad }}    IF TG_OP = 'INSERT' AND by_old AND NEW.{{ c.old }} IS NULL THEN
{{ pad }}        NEW.{{ c.old }} := {{ c.derived }};
{{ pad }}    END IF;
{% endfor %}
{% endif %}
{{ pad }}    -- The side that changed wins; if both did, the one that has the table: only it is shown both.
{% for c in columns %}
{% for to_new in ([false, true] if marker else [true, false]) %}
{% if to_new %}
{{ pad }}    {{ "IF" if loop.first else "ELSIF" }} coalesce(by_old, {{ c.old_changed }}) THEN
{{ pad }}        NEW.{{ c.new }} := {{ c.converted }};
{% if c.kept %}
{{ pad }}        NEW.{{ c.kept }} := NEW.{{ c.old }};
{% endif %}
{% else %}
{{ pad }}    {{ "IF" if loop.first else "ELSIF" }} coalesce(NOT by_old, {{ c.new_changed }}) THEN
{{ pad }}        NEW.{{ c.old }} := {{ c.derived }};
{% endif %}
{% endfor %}
{{ pad }}    END IF;
{% endfor %}
{% if moved %}
    END IF;
{% endif %}
{{ hold_keys(keys, named, twin_keys) }}
    RETURN NEW;
END
{{ dollar }};
{% endmacro %}

{% macro sync_back(dollar, function, reversal, same_row, columns, unfilled, moved, keys, named, twin_keys) %}
CREATE FUNCTION {{ function }}()
-- Whoever writes a row need not be allowed to read its parent, nor the old spellings.
RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET row_security = on AS {{ dollar }}
DECLARE
    is_own constant boolean := {{ is_own() }};
{% if reversal %}
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
{{ hold_keys(keys, named, twin_keys) }}
    RETURN NEW;
END
{{ dollar }};
{% endmacro %}

{% macro forget(dollar, function, reversal, same_row) %}
CREATE FUNCTION {{ function }}()
-- Whoever deletes a row need not be allowed to read old spellings.
RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET row_security = on AS {{ dollar }}
BEGIN
    PERFORM {{ is_own() }};
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
{% endmacro %}
