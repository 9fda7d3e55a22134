SET LOCAL lock_timeout = '200ms';

ALTER TABLE {{ t.new | n }}
{% for c in t.columns if c.not_null %}
    ALTER COLUMN {{ c.name | q }} DROP NOT NULL,
{% endfor %}
{% for c in t.columns if c.not_null %}
    ADD CONSTRAINT {{ t.filled(c) | q }} CHECK ({{ c.name | q }} IS NOT NULL) NOT VALID{{ ";" if loop.last else "," }}
{% endfor %}
