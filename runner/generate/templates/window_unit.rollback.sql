{% import "macros.sql" as macros %}
{% import "partitions.sql" as partitions %}
{% import "window_macros.sql" as window %}
SET LOCAL lock_timeout = '200ms';
SET LOCAL maintenance_work_mem = '1GB';
SET LOCAL max_parallel_maintenance_workers = 4;

{{ macros.check_at_once(u.defers) -}}
LOCK TABLE {{ u.tables | map(attribute="new") | map("n") | join(", ") }} IN ACCESS EXCLUSIVE MODE;

{% for d in u.dependents | reverse %}
{{ u.drop(d, old=false) }}
{% endfor %}
{% for k in u.foreign_keys %}
ALTER TABLE {{ k.table | n }} DROP CONSTRAINT {{ k.name | q }};
{% endfor %}
{% for t in u.tables %}

{{ window.convert_back(t) }}
{% endfor %}
{% for child, column, parent, key in u.references %}

{{ window.spell_reference(child, column, parent, key) }}
{% endfor %}

{% for t in u.tables if t.columns %}
CALL trueup.put_back({{ t.old | n | lit }});
{% endfor %}
{% for t in u.tables if t.columns %}
{{ window.add_unproven_checks(t) }}
{% endfor %}
{% for k in u.foreign_keys %}

{{ window.add_foreign_key(k, u.old_name(k.table), k.old_name, u.old_name(k.references)) }}
{{ partitions.rename_fkey(u.table(k.table), k.old_name, k.old_name, none) -}}
{% endfor %}

{% for d in u.dependents %}

{% for statement in d.old %}
{{ statement.text }}
{% endfor %}
{% endfor %}

{% for t in u.tables if t.keeps_spellings %}
DROP TABLE {{ t.reversal | n }};
{% endfor %}
