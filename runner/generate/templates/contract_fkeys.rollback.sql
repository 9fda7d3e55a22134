{% import "macros.sql" as macros %}
{% import "partitions.sql" as partitions %}
SET LOCAL lock_timeout = '200ms';
{{ macros.check_at_once(u.defers) }}
-- A reference is spelled as the key that it refers to.
{% for child, column, parent, key in references %}
CALL trueup.silence_triggers({{ child.new | n | lit }});
UPDATE {{ child.new | n }} AS t
SET {{ column.old_name | q }} = r.{{ key.old_name | q }}
FROM {{ parent.reversal | n }} AS r
WHERE t.{{ column.name | q }} = r.{{ key.name | q }}
    AND t.{{ column.old_name | q }} <> r.{{ key.old_name | q }};
CALL trueup.put_back({{ child.new | n | lit }});

{% endfor %}
{% for k in keys if k.build_name != k.name %}
{{ partitions.rename_fkey(u.table(k.table), k.old_name, k.name, k.build_name) -}}
ALTER TABLE {{ k.table | n }} RENAME CONSTRAINT {{ k.name | q }} TO {{ k.build_name | q }};
{% endfor %}
{% for k in keys %}
ALTER TABLE {{ k.table | n }}
    ADD CONSTRAINT {{ k.old_name | q }}
    FOREIGN KEY ({{ u.old_columns(k.table, k.columns) | qs }})
    REFERENCES {{ k.references | n }} ({{ u.old_columns(k.references, k.referenced_columns) | qs }}){{ u.old_options(k) }};
{% if k.comment is not none %}
COMMENT ON CONSTRAINT {{ k.old_name | q }} ON {{ k.table | n }} IS {{ k.comment | lit }};
{% endif %}
{{ partitions.rename_fkey(u.table(k.table), k.old_name, k.old_name, none) -}}
{% endfor %}
