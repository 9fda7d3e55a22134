{% import "window_macros.sql" as window %}
SET LOCAL lock_timeout = '200ms';

{% for t in tables %}
{% for k in t.change.foreign_keys if k.converted %}

{{ window.add_foreign_key(k, k.table, k.name, k.references) }}
{% endfor %}
{% endfor %}
