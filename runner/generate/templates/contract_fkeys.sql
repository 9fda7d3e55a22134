SET LOCAL lock_timeout = '200ms';

{% for k in keys %}
ALTER TABLE {{ k.table | n }} DROP CONSTRAINT {{ k.old_name | q }};
{% endfor %}
{% for k in keys if u.fkey_build_name(k) != k.name %}
ALTER TABLE {{ k.table | n }} RENAME CONSTRAINT {{ u.fkey_build_name(k) | q }} TO {{ k.name | q }};
{% endfor %}
