{% if is_online %}
CALL trueup.require_silence({{ t.old | n | lit }});

{% for k in t.unproven_checks if k.columns %}
CALL trueup.refuse_rows(
    {{ t.old | n | lit }},
    {{ k.columns[0] | lit }},
    $${{ t.broken(k) }}$$,
    {{ ("breaks the CHECK " ~ k.name ~ ", which was never validated, so the row cannot be written") | lit }}
);

{% endfor %}
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
    $${{ c.name | q }} IS DISTINCT FROM {{ c.old_from(c.new_from(c.name | q)) }}$$,
    'could not be restored, because the table has no primary key'
);

{% endfor %}
