{% for open in still_open %}
CALL trueup.require_unused({{ open.old | n | lit }});
{% endfor %}
{% for c in t.unkept %}
CALL trueup.refuse_rows(
    {{ t.new | n | lit }},
    {{ c.old_name | lit }},
    $${{ c.compared(c.old_name | q) }} IS DISTINCT FROM {{ c.compared(c.old_from(c.name | q)) }}$$,
    'could not be restored, because the table has no primary key'
);
{% endfor %}

SET LOCAL lock_timeout = '200ms';

DROP VIEW {{ t.old | n }};
DROP MATERIALIZED VIEW {{ t.marker | n }};
DELETE FROM trueup.odometer WHERE compat_view = {{ t.old | n | lit }};
