SET LOCAL lock_timeout = '200ms';

{% if t.proven_checks | length < t.checks | length %}
-- trueup: ignore not-valid-never-validated because the old CHECK was never validated either
{% endif %}
ALTER TABLE {{ t.new | n }}
{% for name, check in t.checks %}
    ADD CONSTRAINT {{ name | q }} CHECK ({{ check }}) NOT VALID{{ ";" if loop.last else "," }}
{% endfor %}
{% for comment in t.carried_comments(t.new, built=true) %}
{{ comment }}
{% endfor %}
