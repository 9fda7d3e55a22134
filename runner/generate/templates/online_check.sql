{% if is_online %}
CALL trueup.require_silence({{ t.old | n | lit }});

{% endif %}
{% for c in t.columns %}
{% if c.new_type == "uuid" %}
CALL trueup.require_uuids({{ t.old | n | lit }}, {{ c.name | lit }}, is_unique => {{ t.is_unique(c.name) | lower }});

{% else %}
{% for r in c.refusals %}
CALL trueup.refuse_rows(
    {{ t.old | n | lit }},
    {{ c.name | lit }},
    $${{ r.condition }}$$,
    {{ r.reason | lit }}
);

{% endfor %}
{% endif %}
{% endfor %}
{% for c in t.unkept %}
CALL trueup.refuse_rows(
    {{ t.old | n | lit }},
    {{ c.name | lit }},
    $${{ c.compared(c.name | q) }} IS DISTINCT FROM {{ c.compared(c.derived_again(c.name | q)) }}$$,
    'could not be restored, because the table has no primary key'
);

{% endfor %}
