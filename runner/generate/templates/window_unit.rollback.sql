{% import "macros.sql" as macros %}
{% import "partitions.sql" as partitions %}
SET LOCAL lock_timeout = '200ms';
SET LOCAL maintenance_work_mem = '1GB';
SET LOCAL max_parallel_maintenance_workers = 4;

LOCK TABLE {{ u.tables | map(attribute="new") | map("n") | join(", ") }} IN ACCESS EXCLUSIVE MODE;

{% for k in u.foreign_keys %}
ALTER TABLE {{ k.table | n }} DROP CONSTRAINT {{ k.name | q }};
{% endfor %}
{% for t in u.tables %}

{{ macros.rename_columns_back(t, t.new) }}
{{ macros.old_names(t, t.sequence_renames + t.window_renames, t.not_null) }}
{% if t.old != t.new %}
ALTER TABLE {{ t.new | n }} RENAME TO {{ t.old.name | q }};
{% endif %}
{% if t.columns %}

{% for i in t.respelled_indexes %}
{% if i.constraint %}
ALTER TABLE {{ t.old | n }} DROP CONSTRAINT {{ i.old_name | q }};
{% else %}
DROP INDEX {{ t.old.schema | q }}.{{ i.old_name | q }};
{% endif %}
{% endfor %}
-- One rewrite of {{ t.old.name }}; every index is built once.
ALTER TABLE {{ t.old | n }}
{% for clause in t.unwindow_clauses %}
    {{ clause }}{{ ";" if loop.last else "," }}
{% endfor %}
{% for i in t.respelled_indexes %}
{% if i.constraint %}
{{ partitions.constraint(t, i, "old_name") -}}
ALTER TABLE {{ t.old | n }} ADD CONSTRAINT {{ i.old_name | q }} {{ t.partitions.definition(i) }};
{% else %}
{{ partitions.index(t, i, "old_name", "method") -}}
CREATE {{ "UNIQUE " if i.unique }}INDEX {{ i.old_name | q }} ON {{ t.old | n }} {{ i.method }};
{% endif %}
{% for setting in t.index_settings(i, i.old_name, t.old) %}
{{ setting }}
{% endfor %}
{{ partitions.settings(t, i, "old_name") -}}
{% endfor %}
{% for c in t.keeping %}
ALTER TABLE {{ t.old | n }} DROP COLUMN {{ c.kept | q }};
{% endfor %}
{% for setting in t.unwindow_settings %}
{{ setting }}
{% endfor %}

CALL trueup.silence_triggers({{ t.old | n | lit }});

{{ macros.restore(t, t.old) }}
{% endif %}
{% endfor %}
{% for child, column, parent, key in u.references %}

-- A reference is spelled as the key that it refers to.
UPDATE {{ child.old | n }} AS t
SET {{ column.name | q }} = r.{{ key.old_name | q }}
FROM {{ parent.reversal | n }} AS r
WHERE t.{{ column.name | q }} = {{ key.old_from("r." ~ (key.name | q)) }};
{% endfor %}

{% for t in u.tables if t.columns %}
CALL trueup.put_back({{ t.old | n | lit }});
{% endfor %}
{% for k in u.foreign_keys %}

ALTER TABLE {{ u.old_name(k.table) | n }}
    ADD CONSTRAINT {{ k.old_name | q }}
    FOREIGN KEY ({{ k.columns | qs }})
    REFERENCES {{ u.old_name(k.references) | n }} ({{ k.referenced_columns | qs }}){{ k.options }};
{% if k.comment is not none %}
COMMENT ON CONSTRAINT {{ k.old_name | q }} ON {{ u.old_name(k.table) | n }} IS {{ k.comment | lit }};
{% endif %}
{{ partitions.rename_fkey(u.table(k.table), k.old_name, k.old_name, none) -}}
{% endfor %}

{% for t in u.tables if t.keeps_spellings %}
DROP TABLE {{ t.reversal | n }};
{% endfor %}
