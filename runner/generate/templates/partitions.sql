{# What is made on a partitioned table is made on its partitions first, the deepest first and under
   their own names: the table's own then takes them in and builds nothing. #}

{% macro index(t, i, name, method, but_leaves=false) -%}
{% for p, x in t.partitions.of(i) if not (but_leaves and p.is_leaf) %}
CALL trueup.if_there({{ p.name | n | lit }}, $$
    CREATE {{ "UNIQUE " if i.unique }}INDEX {{ x[name] | q }} ON {{ p.name | n }} {{ x[method] }}
$$);
{% endfor %}
{% endmacro %}

{% macro constraint(t, i, name, but_leaves=false) -%}
{% for p, x in t.partitions.of(i) if not (but_leaves and p.is_leaf) %}
{% if but_leaves %}
-- trueup: ignore add-primary-key because it takes in the keys of the partitions
{% endif %}
ALTER TABLE IF EXISTS {{ p.name | n }} ADD CONSTRAINT {{ x[name] | q }} {{ t.partitions.definition(i) }};
{% endfor %}
{% endmacro %}

{% macro promote(t, i, name, built) -%}
{% for p, x in t.partitions.of(i) if p.is_leaf %}
ALTER TABLE IF EXISTS {{ p.name | n }}
    ADD CONSTRAINT {{ x[name] | q }} {{ i.constraint }} USING INDEX {{ t.partitions[built](x) | q }}{{ t.partitions.timing(i) }};
{% endfor %}
{{ constraint(t, i, name, but_leaves=true) }}
{% endmacro %}

{% macro rename_index(t, i, old, new) -%}
{% for p, x in t.partitions.of(i) %}
ALTER INDEX IF EXISTS {{ p.name.schema | q }}.{{ x[old] | q }} RENAME TO {{ x[new] | q }};
{% endfor %}
{% endmacro %}

{% macro settings(t, i, name) -%}
{% for p, x in t.partitions.of(i) %}
{% for setting in t.index_settings(x, x[name], p.name) %}
CALL trueup.if_there({{ p.name | n | lit }}, $${{ setting }}$$);
{% endfor %}
{% endfor %}
{% endmacro %}

{% macro require_built(t, i, built) -%}
CALL trueup.require_built(
    {{ t.new | n | lit }},
    ARRAY[{% for _, x in t.partitions.leaves_of(i) %}{{ t.partitions[built](x) | lit }}{{ ", " if not loop.last }}{% endfor %}]::name[],
    $${{ i.new_method }}$$
);
{% endmacro %}

{% macro rename_fkey(t, old_name, old, new) -%}
{% for p, own in t.partitions.foreign_keys(old_name) %}
{% if (old or own) != (new or own) %}
ALTER TABLE IF EXISTS {{ p.name | n }} RENAME CONSTRAINT {{ (old or own) | q }} TO {{ (new or own) | q }};
{% endif %}
{% endfor %}
{% endmacro %}
