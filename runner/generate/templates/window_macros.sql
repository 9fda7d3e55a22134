{% import "macros.sql" as macros %}
{% import "partitions.sql" as partitions %}
{% macro convert(t, keep=true) -%}
{% if t.columns %}
{% if keep and t.keeps_spellings %}
{{ keep_spellings(t) }}

{% endif %}
{% for i in t.respelled_indexes %}
{{ i.removal(t.old) }}
{% endfor %}
{% for c in t.keeping %}
ALTER TABLE {{ t.old | n }} ADD COLUMN {{ c.kept | q }} varchar;
{% endfor %}
-- One rewrite of {{ t.old.name }}; every index is built once.
{% if t.proven_checks | length < t.checks | length %}
-- trueup: ignore not-valid-never-validated because the old CHECK was never validated either
{% endif %}
ALTER TABLE {{ t.old | n }}
{% for clause in t.in_place.clauses %}
    {{ clause }}{{ ";" if loop.last else "," }}
{% endfor %}
{% for i in t.respelled_indexes %}
{% if i.constraint and t.partitions.is_partitioned %}
{{ partitions.constraint(t, i, "old_name") -}}
ALTER TABLE {{ t.old | n }} ADD CONSTRAINT {{ i.old_name | q }} {{ t.partitions.definition(i) }};
{% else %}
{{ partitions.index(t, i, "old_name", "new_method") -}}
{{ i.statement(t.old, new=true) }}
{% endif %}
{% for setting in t.index_settings(i, i.old_name, t.old) %}
{{ setting }}
{% endfor %}
{{ partitions.settings(t, i, "old_name") -}}
{% endfor %}

{% elif t.in_place.clauses %}
ALTER TABLE {{ t.old | n }}
{% for clause in t.in_place.clauses %}
    {{ clause }}{{ ";" if loop.last else "," }}
{% endfor %}

{% endif %}
{% for comment in t.carried_comments(t.old, built=false) %}
{{ comment }}
{% endfor %}
{% if t.old != t.new %}
ALTER TABLE {{ t.old | n }} RENAME TO {{ t.new.name | q }};
{% endif %}
{{ macros.rename_columns(t, t.new) }}
{{ macros.new_names(t, t.names.sequence_renames + t.names.window_renames, t.names.not_null) }}
{%- endmacro %}

{% macro convert_back(t) -%}
{{ macros.rename_columns_back(t, t.new) }}
{{ macros.old_names(t, t.names.sequence_renames + t.names.window_renames, t.names.not_null) }}
{% if t.old != t.new %}
ALTER TABLE {{ t.new | n }} RENAME TO {{ t.old.name | q }};
{% endif %}
{% if t.columns %}

{% for k in t.in_place.unproven_checks if not t.converts(k.columns) %}
ALTER TABLE {{ t.old | n }} DROP CONSTRAINT {{ k.name | q }};
{% endfor %}
{% for i in t.respelled_indexes %}
{{ i.removal(t.old) }}
{% endfor %}
-- One rewrite of {{ t.old.name }}; every index is built once.
ALTER TABLE {{ t.old | n }}
{% for clause in t.in_place.clauses_back %}
    {{ clause }}{{ ";" if loop.last else "," }}
{% endfor %}
{% for i in t.respelled_indexes %}
{% if i.constraint and t.partitions.is_partitioned %}
{{ partitions.constraint(t, i, "old_name") -}}
ALTER TABLE {{ t.old | n }} ADD CONSTRAINT {{ i.old_name | q }} {{ t.partitions.definition(i) }};
{% else %}
{{ partitions.index(t, i, "old_name", "method") -}}
{{ i.statement(t.old, new=false) }}
{% endif %}
{% for setting in t.index_settings(i, i.old_name, t.old) %}
{{ setting }}
{% endfor %}
{{ partitions.settings(t, i, "old_name") -}}
{% endfor %}
{% for c in t.keeping %}
ALTER TABLE {{ t.old | n }} DROP COLUMN {{ c.kept | q }};
{% endfor %}
{% for setting in t.in_place.settings_back %}
{{ setting }}
{% endfor %}

CALL trueup.silence_triggers({{ t.old | n | lit }});

{{ macros.restore(t, t.old) }}
{% elif t.in_place.clauses_back %}

ALTER TABLE {{ t.old | n }}
{% for clause in t.in_place.clauses_back %}
    {{ clause }}{{ ";" if loop.last else "," }}
{% endfor %}
{% endif %}
{%- endmacro %}

{% macro keep_spellings(t) -%}
-- The spellings that cannot be derived back.
CREATE TABLE {{ t.reversal | n }} AS
SELECT
{% for name in t.reversal_key %}
    {{ t.key_value(name) }},
{% endfor %}
{% for c in t.reversible %}
    {{ c.name | q }} AS {{ c.old_name | q }},
    {{ c.new_from(c.name | q) }} AS {{ c.name | q }}{{ "," if not loop.last }}
{% endfor %}
FROM {{ t.old | n }}
WHERE
{% for c in t.reversible %}
    {{ "OR " if not loop.first }}{{ c.compared(c.name | q) }} IS DISTINCT FROM {{ c.compared(c.derived_again(c.name | q)) }}{{ ";" if loop.last }}
{% endfor %}
{%- endmacro %}

{% macro refuse_unkept(t) -%}
-- The service must be down: a row that was written since then could not be restored.
CALL trueup.refuse_rows(
    {{ t.old | n | lit }},
    {{ t.reversible[0].name | lit }},
    $$(
{%- for c in t.reversible %}
{{ " OR " if not loop.first }}{{ c.compared(c.name | q) }} IS DISTINCT FROM {{ c.compared(c.derived_again(c.name | q)) }}
{%- endfor %}
) AND NOT EXISTS (SELECT FROM {{ t.reversal | n }} AS r WHERE {{ t.kept_row("r") }})$$,
    'was written since the spellings were kept'
);
{%- endmacro %}

{% macro spell_reference(child, column, parent, key) -%}
-- A reference is spelled as the key that it refers to.
UPDATE {{ child.old | n }} AS t
SET {{ column.name | q }} = r.{{ key.old_name | q }}
FROM {{ parent.reversal | n }} AS r
WHERE t.{{ column.name | q }} = {{ key.old_from("r." ~ (key.name | q)) }};
{%- endmacro %}

{% macro add_foreign_key(k, table, name, references) -%}
{% if not k.validated %}
-- trueup: ignore not-valid-never-validated because the old foreign key was never validated either
{% endif %}
ALTER TABLE {{ table | n }}
    ADD CONSTRAINT {{ name | q }}
    FOREIGN KEY ({{ k.listed(k.columns) }})
    REFERENCES {{ references | n }} ({{ k.listed(k.referenced_columns) }}){{ k.options }};
{% if k.comment is not none %}
COMMENT ON CONSTRAINT {{ name | q }} ON {{ table | n }} IS {{ k.comment | lit }};
{% endif %}
{%- endmacro %}

{% macro add_unproven_checks(t) -%}
{% for k in t.in_place.unproven_checks %}

ALTER TABLE {{ t.old | n }} ADD CONSTRAINT {{ k.name | q }} {{ t.in_place.restated(k) }};
{% if k.comment is not none %}
{{ t.in_place.comment_again(k) }}
{% endif %}
{% endfor %}
{%- endmacro %}
