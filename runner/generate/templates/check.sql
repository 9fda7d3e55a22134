{% for c in t.columns -%}
{% for r in c.refusals -%}
SELECT trueup.refuse_rows(
    {{ t.old | table | lit }},
    {{ c.name | lit }},
    $${{ r.condition }}$$,
    {{ r.reason | lit }}
);
{% endfor -%}
{% endfor -%}
