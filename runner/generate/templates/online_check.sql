{% import "macros.sql" as macros %}
{% if is_online %}
CALL trueup.require_silence({{ t.old | n | lit }});

{% for k in t.in_place.unproven_checks if k.columns %}
CALL trueup.refuse_rows(
    {{ t.old | n | lit }},
    {{ k.columns[0] | lit }},
    $${{ t.in_place.broken(k) }}$$,
    {{ ("breaks the CHECK " ~ k.name ~ ", which was never validated, so the row cannot be written") | lit }}
);

{% endfor %}
{% endif %}
{{ macros.require_clean(t.old, rules) }}
