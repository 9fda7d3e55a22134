SET LOCAL lock_timeout = '5s';

ALTER TABLE {{ t.new | n }}
{% for name in t.proven_checks %}
    VALIDATE CONSTRAINT {{ name | q }}{{ ";" if loop.last else "," }}
{% endfor %}
