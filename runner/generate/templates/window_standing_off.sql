SET LOCAL lock_timeout = '200ms';

{% for d in u.dependents | reverse %}
{{ u.drop(d, old=true) }}
{% endfor %}
