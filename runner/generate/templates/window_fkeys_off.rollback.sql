{% import "partitions.sql" as partitions %}
{% import "window_macros.sql" as window %}
SET LOCAL lock_timeout = '200ms';

{% for t in tables %}
{% for k in t.change.foreign_keys if k.converted %}

{{ window.add_foreign_key(k, t.old, k.old_name, u.old_name(k.references)) }}
{{ partitions.rename_fkey(t, k.old_name, k.old_name, none) -}}
{% endfor %}
{% endfor %}

{% for t in tables if t.keeps_spellings %}
DROP TABLE {{ t.reversal | n }};
{% endfor %}
