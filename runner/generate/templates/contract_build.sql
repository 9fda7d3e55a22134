{% import "macros.sql" as macros %}
SET LOCAL lock_timeout = '200ms';

{{ macros.old_look(u.beneath([d])) }}
{% for statement in d.build %}
{{ statement }}
{% endfor %}

{{ macros.end_old_look(u.beneath([d])) }}
