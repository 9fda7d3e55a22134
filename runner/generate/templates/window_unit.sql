{% import "macros.sql" as macros %}
{% import "partitions.sql" as partitions %}
SET LOCAL lock_timeout = '200ms';
SET LOCAL maintenance_work_mem = '1GB';
SET LOCAL max_parallel_maintenance_workers = 4;

LOCK TABLE {{ u.tables | map(attribute="old") | map("n") | join(", ") }} IN ACCESS EXCLUSIVE MODE;

{% for k in u.foreign_keys %}
ALTER TABLE {{ u.old_name(k.table) | n }} DROP CONSTRAINT {{ k.old_name | q }};
{% endfor %}
{% for t in u.tables %}

{% if t.columns %}
{% if t.keeps_spellings %}
-- The spellings that cannot be derived back.
CREATE TABLE {{ t.reversal | n }} AS
SELECT
{% for name in t.reversal_key %}
    {{ t.key_value(name) }},
{% endfor %}
{% for c in t.reversible %}
    {{ c.name | q }} AS {{ c.old_name | q }},
    {{ c.new_from(c.name | q) }} AS {{ c.name | q }}{{ "," if not loop.last }}
{% endfor %}
FROM {{ t.old | n }}
WHERE
{% for c in t.reversible %}
    {{ "OR " if not loop.first }}{{ c.name | q }} IS DISTINCT FROM {{ c.old_from(c.new_from(c.name | q)) }}{{ ";" if loop.last }}
{% endfor %}

{% endif %}
{% for i in t.respelled_indexes %}
{% if i.constraint %}
ALTER TABLE {{ t.old | n }} DROP CONSTRAINT {{ i.old_name | q }};
{% else %}
DROP INDEX {{ t.old.schema | q }}.{{ i.old_name | q }};
{% endif %}
{% endfor %}
{% for c in t.keeping %}
ALTER TABLE {{ t.old | n }} ADD COLUMN {{ c.kept | q }} varchar;
{% endfor %}
-- One rewrite of {{ t.old.name }}; every index is built once.
ALTER TABLE {{ t.old | n }}
{% for clause in t.window_clauses %}
    {{ clause }}{{ ";" if loop.last else "," }}
{% endfor %}
{% for i in t.respelled_indexes %}
{% if i.constraint %}
{{ partitions.constraint(t, i, "old_name") -}}
ALTER TABLE {{ t.old | n }} ADD CONSTRAINT {{ i.old_name | q }} {{ t.partitions.definition(i) }};
{% else %}
{{ partitions.index(t, i, "old_name", "new_method") -}}
CREATE {{ "UNIQUE " if i.unique }}INDEX {{ i.old_name | q }} ON {{ t.old | n }} {{ i.new_method }};
{% endif %}
{% for setting in t.index_settings(i, i.old_name, t.old) %}
{{ setting }}
{% endfor %}
{{ partitions.settings(t, i, "old_name") -}}
{% endfor %}

{% endif %}
{% if t.old != t.new %}
ALTER TABLE {{ t.old | n }} RENAME TO {{ t.new.name | q }};
{% endif %}
{{ macros.rename_columns(t, t.new) }}
{{ macros.new_names(t, t.sequence_renames + t.window_renames, t.not_null) }}
{% endfor %}
{% for k in u.foreign_keys %}

ALTER TABLE {{ k.table | n }}
    ADD CONSTRAINT {{ k.name | q }}
    FOREIGN KEY ({{ k.columns | qs }})
    REFERENCES {{ k.references | n }} ({{ k.referenced_columns | qs }}){{ k.options }};
{% if k.comment is not none %}
COMMENT ON CONSTRAINT {{ k.name | q }} ON {{ k.table | n }} IS {{ k.comment | lit }};
{% endif %}
{% endfor %}
