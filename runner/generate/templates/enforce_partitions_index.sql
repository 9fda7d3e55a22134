{% import "partitions.sql" as partitions %}
SET LOCAL lock_timeout = '200ms';

-- In the order of the clients, who lock the table before its partitions.
LOCK TABLE {{ t.new | n }} IN {{ "ACCESS EXCLUSIVE" if i.constraint == "UNIQUE" else "SHARE" }} MODE;

{{ partitions.require_built(t, i, "build_name") }}

{% if i.constraint == "UNIQUE" %}
{{ partitions.promote(t, i, "build_name", "build_name") -}}
-- trueup: ignore add-primary-key because it takes in the keys of the partitions
ALTER TABLE {{ t.new | n }} ADD CONSTRAINT {{ i.build_name | q }} {{ t.partitions.definition(i) }};
{% else %}
{{ partitions.index(t, i, "build_name", "new_method", but_leaves=true) -}}
CREATE {{ "UNIQUE " if i.unique }}INDEX {{ i.build_name | q }} ON {{ t.new | n }} {{ i.new_method }};
{% endif %}
