{% import "partitions.sql" as partitions %}
SET LOCAL lock_timeout = '200ms';

{% for k in u.foreign_keys %}
ALTER TABLE {{ k.table | n }} DROP CONSTRAINT {{ k.old_name | q }};
{% endfor %}
{% for k in u.foreign_keys if u.fkey_build_name(k) != k.name %}
{{ partitions.rename_fkey(u.table(k.table), k.old_name, u.fkey_build_name(k), k.name) -}}
ALTER TABLE {{ k.table | n }} RENAME CONSTRAINT {{ u.fkey_build_name(k) | q }} TO {{ k.name | q }};
{% endfor %}
