{% import "macros.sql" as macros %}
SET LOCAL lock_timeout = '200ms';

{% if t.columns %}
{{ macros.drop_sync_trigger(t) }}
{% endif %}

{% for i in t.indexes if i.converted and i.constraint %}
ALTER TABLE {{ t.new | n }}
    DROP CONSTRAINT {{ i.old_name | q }},
    ADD CONSTRAINT {{ i.name | q }} {{ i.constraint }} USING INDEX {{ i.build_name | q }}{{ i.deferral }};

{% endfor %}
{% if t.columns %}
ALTER TABLE {{ t.new | n }}
{% for c in t.columns %}
    DROP COLUMN {{ c.old_name | q }}{{ ";" if loop.last else "," }}
{% endfor %}
{% endif %}

{{ macros.new_names(t, t.sequence_renames + t.contract_renames, t.not_null) }}
{% for i in t.indexes if i.converted and not i.constraint and i.build_name != i.name %}
ALTER INDEX {{ t.new.schema | q }}.{{ i.build_name | q }} RENAME TO {{ i.name | q }};
{% endfor %}
{% for setting in t.new_settings %}
{{ setting }}
{% endfor %}
