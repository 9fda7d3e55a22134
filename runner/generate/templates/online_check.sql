{% for c in t.columns %}
{% for r in c.refusals %}
CALL trueup.refuse_rows(
    {{ t.old | n | lit }},
    {{ c.name | lit }},
    $${{ r.condition }}$$,
    {{ r.reason | lit }}
);

{% endfor %}
{% endfor %}
