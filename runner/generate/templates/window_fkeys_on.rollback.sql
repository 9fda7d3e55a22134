SET LOCAL lock_timeout = '200ms';

{% for t in tables %}
{% for k in t.change.foreign_keys if k.converted %}
ALTER TABLE {{ k.table | n }} DROP CONSTRAINT {{ k.name | q }};
{% endfor %}
{% endfor %}
