{% import "macros.sql" as macros %}
{% import "partitions.sql" as partitions %}
SET LOCAL lock_timeout = '200ms';

{% if t.partitions.is_partitioned and t.resting_on_key %}
-- In the order of most clients: a reference is checked after its row is written.
LOCK TABLE {{ t.resting_on_key | map(attribute="table") | map("n") | unique | join(", ") }}, {{ t.new | n }}
    IN ACCESS EXCLUSIVE MODE;

{% endif %}
{% if t.columns %}
{{ macros.drop_sync_trigger(t) }}
{% endif %}

{% for i in t.indexes if i.converted and i.constraint and t.partitions.is_partitioned %}
{% if i.constraint == "PRIMARY KEY" %}
{{ partitions.require_built(t, i, "key_name") }}

-- A partitioned table's unique index cannot become its key, so what rests on it lets go.
{% for k in t.resting_on_key %}
ALTER TABLE {{ k.table | n }} DROP CONSTRAINT {{ k.name | q }};
{% endfor %}
-- trueup: ignore drop-index because CONCURRENTLY does not work on a partitioned table
DROP INDEX {{ t.new.schema | q }}.{{ i.build_name | q }};
ALTER TABLE {{ t.new | n }} DROP CONSTRAINT {{ i.old_name | q }};

{{ partitions.promote(t, i, "name", "key_name") -}}
-- trueup: ignore add-primary-key because it takes in the keys of the partitions
ALTER TABLE {{ t.new | n }} ADD CONSTRAINT {{ i.name | q }} {{ t.partitions.definition(i) }};
{% for k in t.resting_on_key %}
{% if not k.validated %}
-- trueup: ignore not-valid-never-validated because the old foreign key was never validated either
{% endif %}
ALTER TABLE {{ k.table | n }}
    ADD CONSTRAINT {{ k.name | q }}
    FOREIGN KEY ({{ k.columns | qs }})
    REFERENCES {{ k.references | n }} ({{ k.referenced_columns | qs }}){{ k.options }}{{ " NOT VALID" if k.validated }};
{% if k.comment is not none %}
COMMENT ON CONSTRAINT {{ k.name | q }} ON {{ k.table | n }} IS {{ k.comment | lit }};
{% endif %}
{% endfor %}

{% else %}
ALTER TABLE {{ t.new | n }} DROP CONSTRAINT {{ i.old_name | q }};
{{ partitions.rename_index(t, i, "build_name", "name") -}}
{% if i.build_name != i.name %}
ALTER INDEX {{ t.new.schema | q }}.{{ i.build_name | q }} RENAME TO {{ i.name | q }};
{% endif %}

{% endif %}
{% endfor %}
{% for i in t.indexes if i.converted and i.constraint and not t.partitions.is_partitioned %}
ALTER TABLE {{ t.new | n }}
    DROP CONSTRAINT {{ i.old_name | q }},
    ADD CONSTRAINT {{ i.name | q }} {{ i.constraint }} USING INDEX {{ i.build_name | q }}{{ i.deferral }};

{% endfor %}
{% if t.columns %}
ALTER TABLE {{ t.new | n }}
{% for c in t.columns %}
    DROP COLUMN {{ c.old_name | q }}{{ ";" if loop.last else "," }}
{% endfor %}
{% endif %}

{{ macros.new_names(t, t.names.sequence_renames + t.names.contract_renames, t.names.not_null) }}
{% for i in t.indexes if i.converted and not i.constraint and i.build_name != i.name %}
ALTER INDEX {{ t.new.schema | q }}.{{ i.build_name | q }} RENAME TO {{ i.name | q }};
{% endfor %}
{% for i in t.converted_indexes if not i.constraint %}
{{ partitions.rename_index(t, i, "build_name", "name") -}}
{% endfor %}
{% for setting in t.new_settings %}
{{ setting }}
{% endfor %}
{% for i in t.converted_indexes %}
{{ partitions.settings(t, i, "name") -}}
{% endfor %}
