-- What the tables show now, and what they will show under the new contract; both in the spelling
-- that belongs to each, so that only the definitions can make a difference.
CREATE SCHEMA trueup_before;
CREATE SCHEMA trueup_after;
{% for t in u.beneath(u.trial) %}
CREATE VIEW trueup_before.{{ t.old.name | q }} AS
SELECT
{% for c in t.relation.columns %}
    {{ t.as_old(c.name) }}{{ "," if not loop.last }}
{% endfor %}
FROM {{ t.old | n }};
CREATE VIEW trueup_after.{{ t.old.name | q }} AS
SELECT
{% for c in t.relation.columns %}
    {{ t.as_new(c.name) }}{{ "," if not loop.last }}
{% endfor %}
FROM {{ t.old | n }};
{% endfor %}
{% for d in u.trial %}

-- {{ d.label }}
{% if d.is_view %}
CREATE VIEW trueup_before.{{ d.name.name | q }} AS
{{ u.moved(d.old_query, "trueup_before") }};
CREATE VIEW trueup_after.{{ d.name.name | q }} AS
{{ u.moved(d.new_query, "trueup_after") }};
CALL trueup.require_as_many({{ d.name | n | lit }}, {{ d.name.name | q | lit }});
{% elif d.kind == "function" %}
{{ u.moved(d.new_query, "trueup_after") }};
{% else %}
DO $check$
BEGIN
    PERFORM
    FROM {{ u.moved(d.name | n, "trueup_after") }}
    WHERE {{ u.moved(d.new_query, "trueup_after") }}
    LIMIT 0;
END
$check$;
{% endif %}
{% endfor %}

{% for d in u.trial if d.kind == "function" %}
DROP ROUTINE trueup_after.{{ d.name.name }};
{% endfor %}
{% for schema in ["trueup_after", "trueup_before"] %}
DROP VIEW
{% for name in u.tried | reverse %}
    {{ schema }}.{{ name | q }}{{ ";" if loop.last else "," }}
{% endfor %}
{% endfor %}
DROP SCHEMA trueup_after;
DROP SCHEMA trueup_before;
