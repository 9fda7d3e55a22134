{% import "macros.sql" as macros %}
{% import "window_macros.sql" as window %}
SET LOCAL lock_timeout = '200ms';
SET LOCAL maintenance_work_mem = '1GB';
SET LOCAL max_parallel_maintenance_workers = 4;

LOCK TABLE {{ u.tables | map(attribute="old") | map("n") | join(", ") }} IN ACCESS EXCLUSIVE MODE;

{% for d in u.dependents | reverse %}
{{ u.drop(d, old=true) }}
{% endfor %}
{% for k in u.foreign_keys %}
ALTER TABLE {{ u.old_name(k.table) | n }} DROP CONSTRAINT {{ k.old_name | q }};
{% endfor %}
{% for t in u.tables %}

{{ window.convert(t) }}
{% endfor %}
{% for k in u.foreign_keys %}

{{ window.add_foreign_key(k, k.table, k.name, k.references) }}
{% endfor %}
{% if u.dependents %}

{{ macros.old_look(u.beneath(u.dependents)) }}
{% for d in u.dependents %}

{% for statement in d.new %}
{{ statement.text }}
{% endfor %}
{% endfor %}

{{ macros.end_old_look(u.beneath(u.dependents)) }}
{% endif %}
