{% import "macros.sql" as macros %}
{% import "partitions.sql" as partitions %}
SET LOCAL lock_timeout = '200ms';
SET LOCAL maintenance_work_mem = '1GB';

{{ macros.check_at_once(t.defers) -}}
LOCK TABLE {{ t.new | n }} IN ACCESS EXCLUSIVE MODE;
{% for kind, old, new in t.names.sequence_renames %}
{{ t.names.rename(kind, t.new, new, old) }}
{% endfor %}
{% set standing = u.remade_with(t) %}
{% for d in standing | reverse %}
{{ u.drop(d, old=false) }}
{% endfor %}
{% if r.moved %}
CALL trueup.set_aside({{ t.new | n | lit }});
{% endif %}

{{ macros.rename_columns_back(t, t.new) }}
{{ macros.old_names(t, t.names.contract_renames, r.kept_not_null) }}

{% if t.columns %}
{% for k in r.referring %}
ALTER TABLE {{ k.table | n }} DROP CONSTRAINT {{ k.name | q }};
{% endfor %}
{% if r.referenced %}
CALL trueup.set_references_aside(
    {{ t.new | n | lit }},
    ARRAY[{{ r.referenced | map("lit") | join(", ") }}]::name[]
);
{% endif %}
{% for k in r.leaving %}
-- Another unit's table may have its old name or its new one.
INSERT INTO pg_temp.aside (table_id, make_it)
SELECT
    k.conrelid,
    format(
        'ALTER TABLE %1$s ADD CONSTRAINT %2$I %3$s;'
        'COMMENT ON CONSTRAINT %2$I ON %1$s IS %4$L',
        k.conrelid::regclass, k.conname, pg_get_constraintdef(k.oid),
        obj_description(k.oid, 'pg_constraint')
    )
FROM pg_constraint AS k
WHERE k.conrelid = {{ t.new | n | lit }}::regclass AND k.conname = {{ k.old_name | lit }};
{% endfor %}
{% for kind, name in r.dropped %}
{% if kind == "constraint" %}
ALTER TABLE {{ t.new | n }} DROP CONSTRAINT {{ name | q }};
{% else %}
DROP INDEX {{ t.new.schema | q }}.{{ name | q }};
{% endif %}
{% endfor %}

{% for i in r.kept_indexes if i.build_name != i.name %}
ALTER INDEX {{ t.new.schema | q }}.{{ i.name | q }} RENAME TO {{ i.build_name | q }};
{% endfor %}
{% for i in r.kept_indexes %}
{{ partitions.rename_index(t, i, "name", "build_name") -}}
{% endfor %}

{% if r.keeps_order %}
-- The columns from the first converted one on are made again, so that the old order comes back.
{% else %}
-- The old columns are made again, behind the others: a partition key's column cannot be.
{% endif %}
{% for c in t.columns %}
ALTER TABLE {{ t.new | n }} RENAME COLUMN {{ c.name | q }} TO {{ r.new_name(c.name) | q }};
{% endfor %}
{% for c in r.moved %}
ALTER TABLE {{ t.new | n }} RENAME COLUMN {{ c | q }} TO {{ r.moved_name(c) | q }};
{% endfor %}

ALTER TABLE {{ t.new | n }}
{% for name, type in r.columns %}
    ADD COLUMN {{ name | q }} {{ type }}{{ ";" if loop.last else "," }}
{% endfor %}

{% if r.updated %}
-- No ALTER TYPE may touch what {{ r.generated | qs }} {{ "is" if r.generated | length == 1 else "are" }} generated from.
CALL trueup.silence_triggers({{ t.new | n | lit }});
UPDATE {{ t.new | n }}
SET
{% for name, source in r.updated %}
    {{ name | q }} = {{ source }}{{ ";" if loop.last else "," }}
{% endfor %}

-- One rewrite fills the others.
{% else %}
-- One rewrite fills them all.
{% endif %}
ALTER TABLE {{ t.new | n }}
{% for name, type, source in r.rewritten %}
    ALTER COLUMN {{ name | q }} TYPE {{ type }} USING {{ source }}{{ ";" if loop.last else "," }}
{% endfor %}

CALL trueup.silence_triggers({{ t.new | n | lit }});

{{ macros.restore(t, t.new) }}

{% if r.moved %}
{{ macros.copy_columns(t, "__moved") }}
{% for c in r.sequence_defaults %}
CALL trueup.copy_default({{ t.new | n | lit }}, {{ r.moved_name(c) | lit }}, {{ c | lit }});
{% endfor %}
{% endif %}
{{ macros.copy_columns(t, "__new") }}

{% if r.moved %}
ALTER TABLE {{ t.new | n }}
{% for c in r.generated + r.plain %}
    DROP COLUMN {{ r.moved_name(c) | q }}{{ ";" if loop.last else "," }}
{% endfor %}

{% endif %}
{% if t.partitions.all %}
{% if r.not_null %}
-- Before the partitions' keys, which would set it themselves and name it after themselves.
ALTER TABLE {{ t.new | n }}
{% for name in r.not_null %}
    ALTER COLUMN {{ name | q }} SET NOT NULL{{ ";" if loop.last else "," }}
{% endfor %}
{% endif %}
{% for i in r.old_keys %}
{{ partitions.constraint(t, i, "old_name") -}}
{% endfor %}

{% endif %}
{% if r.clauses %}
ALTER TABLE {{ t.new | n }}
{% for clause in r.clauses %}
    {{ clause }}{{ ";" if loop.last else "," }}
{% endfor %}
{% endif %}

{% for i in r.old_indexes %}
{{ partitions.index(t, i, "old_name", "method") -}}
CREATE {{ "UNIQUE " if i.unique }}INDEX {{ i.old_name | q }} ON {{ t.new | n }} {{ i.method }};
{% endfor %}
{% for setting in r.settings %}
{{ setting }}
{% endfor %}
{% for i in r.old_keys + r.old_indexes %}
{{ partitions.settings(t, i, "old_name") -}}
{% endfor %}

{{ macros.name_not_nulls(t, t.new, t.old.name, t.names.old_not_nulls, r.not_null) }}

{% for c in t.columns %}
ALTER TABLE {{ t.new | n }} RENAME COLUMN {{ c.name | q }} TO {{ c.old_name | q }};
ALTER TABLE {{ t.new | n }} RENAME COLUMN {{ r.new_name(c.name) | q }} TO {{ c.name | q }};
{% endfor %}

{{ macros.rename_columns(t, t.new) }}
{% for k in r.moved_checks %}

ALTER TABLE {{ t.new | n }} {{ k.clause(k.build_name) }};
{% endfor %}
{% if r.moved_checks %}
{% for comment in t.carried_comments(t.new, built=true) %}
{{ comment }}
{% endfor %}
{% endif %}

{% for i in r.new_indexes %}
{% if t.partitions.is_partitioned and i.constraint == "UNIQUE" %}
{{ partitions.constraint(t, i, "build_name") -}}
ALTER TABLE {{ t.new | n }} ADD CONSTRAINT {{ i.build_name | q }} {{ t.partitions.definition(i) }};
{% else %}
{{ partitions.index(t, i, "build_name", "new_method") -}}
CREATE {{ "UNIQUE " if i.unique }}INDEX {{ i.build_name | q }} ON {{ t.new | n }} {{ i.new_method }};
{% endif %}
{% endfor %}

{% for k in r.referring %}
ALTER TABLE {{ k.table | n }}
    ADD CONSTRAINT {{ k.name | q }}
    FOREIGN KEY ({{ k.listed(k.columns) }})
    REFERENCES {{ k.references | n }} ({{ k.listed(k.referenced_columns) }}){{ k.options }};
{% if k.comment is not none %}
COMMENT ON CONSTRAINT {{ k.name | q }} ON {{ k.table | n }} IS {{ k.comment | lit }};
{% endif %}
{% endfor %}
CALL trueup.put_back({{ t.new | n | lit }});
{% for k in t.change.foreign_keys if not k.converted %}
{{ partitions.rename_fkey(t, k.old_name, k.old_name, none) if r.remakes(k.columns) -}}
{% endfor %}

{{ macros.sync_trigger(t) }}
{% if standing %}

{{ macros.old_look(u.beneath(standing)) }}
{% for d in standing %}

{% for statement in d.new %}
{{ statement.text }}
{% endfor %}
{% endfor %}

{{ macros.end_old_look(u.beneath(standing)) }}
{% endif %}
{% else %}
{{ macros.rename_columns(t, t.new) }}
{% endif %}
