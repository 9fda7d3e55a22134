{% import "macros.sql" as macros %}
{% if is_online %}
CALL trueup.require_silence({{ t.old | n | lit }});

{% endif %}
{{ macros.require_clean(t.old, rules) }}
