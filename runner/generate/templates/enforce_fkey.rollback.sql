SET LOCAL lock_timeout = '200ms';

{% if table == k.table %}
ALTER TABLE {{ table | n }} DROP CONSTRAINT {{ k.build_name | q }};
{% else %}
ALTER TABLE IF EXISTS {{ table | n }} DROP CONSTRAINT IF EXISTS {{ k.build_name | q }};
{% endif %}
