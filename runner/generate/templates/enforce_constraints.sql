SET LOCAL lock_timeout = '200ms';

ALTER TABLE {{ t.new | n }}
{% for name, check in t.checks %}
    ADD CONSTRAINT {{ name | q }} CHECK ({{ check }}) NOT VALID{{ ";" if loop.last else "," }}
{% endfor %}
{% for comment in t.carried_comments(t.new, built=true) %}
{{ comment }}
{% endfor %}
