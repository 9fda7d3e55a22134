{% import "window_macros.sql" as window %}
SET LOCAL lock_timeout = '200ms';

LOCK TABLE {{ tables | map(attribute="old") | map("n") | join(", ") }} IN ACCESS EXCLUSIVE MODE;

{% for t in tables %}
{% for k in t.change.foreign_keys if k.converted %}
ALTER TABLE {{ t.old | n }} DROP CONSTRAINT {{ k.old_name | q }};
{% endfor %}
{% endfor %}
{% for t in tables if t.keeps_spellings %}

{{ window.keep_spellings(t) }}
{% endfor %}
