CALL trueup.refuse_rows(
    {{ t.new | n | lit }},
    {{ t.columns[0].name | lit }},
    $$({% for c in t.columns %}{{ c.meant(c.name | q) }}{{ ", " if not loop.last }}{% endfor %}) IS DISTINCT FROM (
{%- for c in t.columns %}{{ c.meant(c.new_from(c.old_name | q)) }}{{ ", " if not loop.last }}{% endfor %})$$,
    'stands in a row whose two sides differ'
);
{% for c in t.columns %}
{% for _, check in c.checks %}

CALL trueup.refuse_rows(
    {{ t.new | n | lit }},
    {{ c.name | lit }},
    $$NOT ({{ check }})$$,
    {{ c.refusals[-loop.revindex].reason | lit }}
);
{% endfor %}
{% endfor %}
