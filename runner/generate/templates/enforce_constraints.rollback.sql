SET LOCAL lock_timeout = '200ms';

ALTER TABLE {{ t.new | n }}
{% for name, check in t.checks %}
    DROP CONSTRAINT {{ name | q }}{{ ";" if loop.last else "," }}
{% endfor %}
