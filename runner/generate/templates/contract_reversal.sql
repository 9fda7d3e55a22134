CREATE TABLE {{ t.reversal | n }} AS
SELECT
{% for name in t.reversal_key %}
    {{ name | q }},
{% endfor %}
{% for c in t.reversible %}
    {{ c.old_name | q }},
    {{ c.name | q }}{{ "," if not loop.last }}
{% endfor %}
FROM {{ t.new | n }}
WHERE
{% for c in t.reversible %}
    {{ "OR " if not loop.first }}{{ c.compared(c.old_name | q) }} IS DISTINCT FROM {{ c.compared(c.old_from(c.name | q)) }}{{ ";" if loop.last }}
{% endfor %}
