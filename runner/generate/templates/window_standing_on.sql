{% import "macros.sql" as macros %}
SET LOCAL lock_timeout = '200ms';

{{ macros.old_look(u.beneath(u.dependents)) }}
{% for d in u.dependents %}

{% for statement in d.new %}
{{ statement }}
{% endfor %}
{% endfor %}

{{ macros.end_old_look(u.beneath(u.dependents)) }}
