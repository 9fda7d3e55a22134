SET LOCAL lock_timeout = '200ms';

{% if i.constraint == "UNIQUE" %}
ALTER TABLE {{ t.new | n }} DROP CONSTRAINT {{ i.build_name | q }};
{% else %}
DROP INDEX {{ t.new.schema | q }}.{{ i.build_name | q }};
{% endif %}
