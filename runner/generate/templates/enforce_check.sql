CALL trueup.refuse_rows(
    {{ t.new | n | lit }},
    {{ t.columns[0].name | lit }},
    $$({{ t.columns | map(attribute="name") | map("q") | join(", ") }}) IS DISTINCT FROM (
{%- for c in t.columns %}{{ c.new_from(c.old_name | q) }}{{ ", " if not loop.last }}{% endfor %})$$,
    'stands in a row whose two sides differ'
);
{% for c in t.columns if c.check %}

CALL trueup.refuse_rows(
    {{ t.new | n | lit }},
    {{ c.name | lit }},
    $$NOT ({{ c.check }})$$,
    {{ c.refusals[0].reason | lit }}
);
{% endfor %}
{% if t.partitions.is_partitioned %}

-- Autovacuum never looks at a partitioned table as a whole.
ANALYZE {{ t.new | n }} ({{ t.columns | map(attribute="name") | map("q") | join(", ") }});
{% endif %}
