{% import "partitions.sql" as partitions %}
SET LOCAL lock_timeout = '200ms';

{% if keys | map(attribute="table") | unique | list | length > 1 %}
{% set parents = keys | map(attribute="references") | list %}
LOCK TABLE {{ (keys | map(attribute="table") | list + parents) | map("n") | unique | join(", ") }}
    IN ACCESS EXCLUSIVE MODE;
{% endif %}
{% for k in keys %}
ALTER TABLE {{ k.table | n }} DROP CONSTRAINT {{ k.old_name | q }};
{% endfor %}
{% for k in keys if k.build_name != k.name %}
{{ partitions.rename_fkey(u.table(k.table), k.old_name, k.build_name, k.name) -}}
ALTER TABLE {{ k.table | n }} RENAME CONSTRAINT {{ k.build_name | q }} TO {{ k.name | q }};
{% endfor %}
