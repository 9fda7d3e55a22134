{% import "macros.sql" as macros %}
{% import "window_macros.sql" as window %}
SET LOCAL lock_timeout = '200ms';
SET LOCAL maintenance_work_mem = '1GB';
SET LOCAL max_parallel_maintenance_workers = 4;

{{ macros.check_at_once(t.defers) -}}
LOCK TABLE {{ t.new | n }} IN ACCESS EXCLUSIVE MODE;

{{ window.convert_back(t) }}
{% for child, column, parent, key in references %}

{{ window.spell_reference(child, column, parent, key) }}
{% endfor %}
{% if t.columns %}

CALL trueup.put_back({{ t.old | n | lit }});
{{ window.add_unproven_checks(t) }}
{% endif %}
