{% import "macros.sql" as macros %}
SET LOCAL lock_timeout = '200ms';

{% if t.columns %}
{{ macros.drop_sync_trigger(t) }}
{% endif %}
DROP VIEW {{ t.old | n }};
DROP MATERIALIZED VIEW {{ t.marker | n }};
DELETE FROM trueup.odometer WHERE compat_view = {{ t.old | n | lit }};

{% if t.columns %}
ALTER TABLE {{ t.new | n }}
{% for c in t.columns %}
{% if c.kept %}
    DROP COLUMN {{ c.kept | q }},
{% endif %}
    DROP COLUMN {{ c.name | q }}{{ ";" if loop.last else "," }}
{% endfor %}

{% for c in t.columns %}
ALTER TABLE {{ t.new | n }} RENAME COLUMN {{ c.old_name | q }} TO {{ c.name | q }};
{% endfor %}
{% for c in t.columns if c.old_default is not none %}
ALTER TABLE {{ t.new | n }} ALTER COLUMN {{ c.name | q }} SET DEFAULT {{ c.old_default }};
{% endfor %}

{% endif %}
{{ macros.rename_columns_back(t, t.new) }}
{% if t.old != t.new %}
ALTER TABLE {{ t.new | n }} RENAME TO {{ t.old.name | q }};
{% endif %}
{% if t.names.crowded_not_null %}

-- Both sides wanted one name for their NOT NULL constraints, as it is cut at 63 bytes.
{{ macros.name_not_nulls(t, t.old, t.old.name, t.names.old_not_nulls, t.names.crowded_not_null) }}
{% endif %}
