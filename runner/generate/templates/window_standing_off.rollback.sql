SET LOCAL lock_timeout = '200ms';

{% for d in u.dependents %}

{% for statement in d.old %}
{{ statement }}
{% endfor %}
{% endfor %}
