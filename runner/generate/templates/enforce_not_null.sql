SET LOCAL lock_timeout = '200ms';

-- The validated CHECKs spare the scan, so they must still be there.
ALTER TABLE {{ t.new | n }}
{% for c in t.columns if c.not_null %}
    ALTER COLUMN {{ c.name | q }} SET NOT NULL{{ ";" if loop.last else "," }}
{% endfor %}

ALTER TABLE {{ t.new | n }}
{% for c in t.columns if c.not_null %}
    DROP CONSTRAINT {{ t.filled(c) | q }}{{ ";" if loop.last else "," }}
{% endfor %}
