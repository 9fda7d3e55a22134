SET LOCAL lock_timeout = '200ms';

{% if table == k.table %}
ALTER TABLE {{ table | n }} DROP CONSTRAINT {{ t.fkey_build_name(k) | q }};
{% else %}
ALTER TABLE IF EXISTS {{ table | n }} DROP CONSTRAINT IF EXISTS {{ t.fkey_build_name(k) | q }};
{% endif %}
