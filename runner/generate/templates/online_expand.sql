{% import "macros.sql" as macros %}
SET LOCAL lock_timeout = '200ms';

{% if t.old != t.new %}
ALTER TABLE {{ t.old | n }} RENAME TO {{ t.new.name | q }};

{% endif %}
{{ macros.rename_columns(t, t.new) }}
{% if t.columns %}
{% for c in t.columns %}
ALTER TABLE {{ t.new | n }} RENAME COLUMN {{ c.name | q }} TO {{ c.old_name | q }};
{% endfor %}

{% for c in t.columns if c.old_default is not none %}
-- A value on the old side is to say that the old contract wrote the row.
ALTER TABLE {{ t.new | n }} ALTER COLUMN {{ c.old_name | q }} DROP DEFAULT;
{% endfor %}

ALTER TABLE {{ t.new | n }}
{% for c in t.columns %}
{% if c.kept %}
    ADD COLUMN {{ c.kept | q }} varchar,
{% endif %}
    ADD COLUMN {{ c.name | q }} {{ c.new_type }}{{ ";" if loop.last else "," }}
{% endfor %}
{% for c in t.columns if c.new_default is not none %}
ALTER TABLE {{ t.new | n }} ALTER COLUMN {{ c.name | q }} SET DEFAULT {{ c.new_default }};
{% endfor %}

{{ macros.copy_columns(t, "__old") }}

{% endif %}
{{ macros.compat_view(t) }}
{% if t.columns %}

{{ macros.sync_trigger(t) }}
{% endif %}
