{% macro compat_view(t) -%}
-- The odometer's marker. Every query through the view reads it once, and the server counts that.
-- It is a materialized view so that a dump does not read it.
CREATE MATERIALIZED VIEW {{ t.marker | n }} AS SELECT true AS used;
GRANT SELECT ON {{ t.marker | n }} TO PUBLIC;
CALL trueup.read_odometer({{ t.old | n | lit }}, {{ t.marker | n | lit }});

-- The compat view: the old name, the old columns in their old order.
CREATE VIEW {{ t.old | n }} AS
SELECT
{% for c in t.relation.columns %}
    {{ t.shown(c.name) }}{{ "," if not loop.last }}
{% endfor %}
FROM {{ t.new | n }}
WHERE EXISTS (SELECT FROM {{ t.marker | n }}){{ "\nWITH CASCADED CHECK OPTION" if not t.columns }};

{% for c in t.columns if c.old_default is not none %}
ALTER VIEW {{ t.old | n }} ALTER COLUMN {{ c.name | q }} SET DEFAULT {{ c.old_default }};
{% endfor %}
CALL trueup.stand_in({{ t.old | n | lit }}, {{ t.new | n | lit }});
{% for old, name in t.cut_names("__old") %}
CALL trueup.copy_column({{ t.new | n | lit }}, {{ old | lit }}, {{ t.old | n | lit }}, {{ name | lit }});
{% endfor %}
{% for old, name in t.renamed.items() %}
CALL trueup.copy_column({{ t.new | n | lit }}, {{ name | lit }}, {{ t.old | n | lit }}, {{ old | lit }});
{% endfor %}
{%- endmacro %}

{% macro sync_trigger(t) -%}
-- Keeps both sides of each row equal. A value on the old side of a new row says that the old
-- contract wrote it.
CREATE FUNCTION {{ t.sync | n }}()
RETURNS trigger
LANGUAGE plpgsql
{% if t.looks_up %}
-- Whoever may write a reference need not be allowed to read its parent, as with a foreign key.
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
{% endif %}
AS $$
BEGIN
    IF TG_OP = 'INSERT' AND {{ t.old_side_empty("NEW.") }} THEN
        -- The new contract writes.
{% for c in t.columns %}
        NEW.{{ c.old_name | q }} := {{ t.derive_old(c, "NEW.", 8) }};
{% endfor %}
{% if t.tells_moved_rows %}
    ELSIF TG_OP = 'INSERT'
{% for c in t.columns %}
        AND ({{ c.meant("NEW." ~ (c.name | q)) }} IS NOT DISTINCT FROM {{ c.meant(c.new_from("NEW." ~ (c.old_name | q))) }})
{% endfor %}
    THEN
        -- An UPDATE moves a row that is in step from one partition to another.
        NULL;
{% endif %}
    ELSIF TG_OP = 'INSERT' OR {{ t.unconverted("OLD.") }} THEN
        -- The old contract writes, or the backfill has not come to this row yet.
        PERFORM FROM {{ t.marker | n }};
{% for c in t.columns %}
        NEW.{{ c.name | q }} := {{ c.new_from("NEW." ~ (c.old_name | q)) }};
{% if c.kept %}
        NEW.{{ c.kept | q }} := NEW.{{ c.old_name | q }};
{% endif %}
{% endfor %}
    ELSE
        -- The side that changed wins.
{% for c in t.columns %}
        IF {{ c.compared("NEW." ~ (c.old_name | q)) }} IS DISTINCT FROM {{ c.compared("OLD." ~ (c.old_name | q)) }} THEN
            NEW.{{ c.name | q }} := {{ c.new_from("NEW." ~ (c.old_name | q)) }};
{% if c.kept %}
            NEW.{{ c.kept | q }} := NEW.{{ c.old_name | q }};
{% endif %}
        ELSIF {{ c.compared("NEW." ~ (c.name | q)) }} IS DISTINCT FROM {{ c.compared("OLD." ~ (c.name | q)) }}
{%- if c.kept %}

            OR NEW.{{ c.kept | q }} IS DISTINCT FROM OLD.{{ c.kept | q }}
        THEN
{% else %} THEN
{% endif %}
            NEW.{{ c.old_name | q }} := {{ t.derive_old(c, "NEW.", 12, "OLD.") }};
        END IF;
{% endfor %}
    END IF;

{% if t.twin_keys %}
    IF TG_OP = 'INSERT' THEN
{% for key in t.twin_keys %}
        PERFORM trueup.hold_key({{ key }}, TG_RELID);
{% endfor %}
    END IF;

{% endif %}
    RETURN NEW;
END
$$;

-- Their names make them fire after the service's own triggers.
CREATE TRIGGER zz_trueup_sync_insert
BEFORE INSERT ON {{ t.new | n }}
FOR EACH ROW
EXECUTE FUNCTION {{ t.sync | n }}();

-- Silent for the backfill, and for updates of other columns; but a row that a client moves before
-- the backfill comes to it is converted at once, or the backfill would never meet it.
CREATE TRIGGER zz_trueup_sync_update
BEFORE UPDATE ON {{ t.new | n }}
FOR EACH ROW
WHEN (
    {{ t.unconverted("NEW.") }}
{% for c in t.columns %}
    OR {{ c.compared("NEW." ~ (c.old_name | q)) }} IS DISTINCT FROM {{ c.compared("OLD." ~ (c.old_name | q)) }}
{% endfor %}
    OR {{ t.converted_row("OLD.") }} AND (
{% for c in t.columns %}
        {{ "OR " if not loop.first }}{{ c.compared("NEW." ~ (c.name | q)) }} IS DISTINCT FROM {{ c.compared("OLD." ~ (c.name | q)) }}
{% endfor %}
{% for c in t.keeping %}
        OR NEW.{{ c.kept | q }} IS DISTINCT FROM OLD.{{ c.kept | q }}
{% endfor %}
    )
)
EXECUTE FUNCTION {{ t.sync | n }}();
{%- endmacro %}

{% macro drop_sync_trigger(t) -%}
DROP TRIGGER zz_trueup_sync_update ON {{ t.new | n }};
DROP TRIGGER zz_trueup_sync_insert ON {{ t.new | n }};
DROP FUNCTION {{ t.sync | n }}();
{%- endmacro %}

{% macro restore(t, table) -%}
{% if t.keeps_spellings %}
-- The spellings that cannot be derived, where the value is still the same.
UPDATE {{ table | n }} AS t
SET
{% for c in t.reversible %}
    {{ c.name | q }} = CASE
        WHEN {{ c.compared("t." ~ (c.name | q)) }} IS NOT DISTINCT FROM {{ c.compared(c.old_from("r." ~ (c.name | q))) }}
        THEN r.{{ c.old_name | q }}
        ELSE t.{{ c.name | q }}
    END{{ "," if not loop.last }}
{% endfor %}
FROM {{ t.reversal | n }} AS r
WHERE {{ t.same_key }};
{% endif %}
{%- endmacro %}

{% macro new_names(t, renames, not_null) -%}
{% for kind, old, new in renames %}
{{ t.names.rename(kind, t.new, old, new) }}
{% endfor %}
{{ name_not_nulls(t, t.new, t.new.name, t.names.new_not_nulls, t.names.under_new_names(not_null)) }}
{%- endmacro %}

{% macro old_names(t, renames, not_null) -%}
{% for kind, old, new in renames %}
{{ t.names.rename(kind, t.new, new, old) }}
{% endfor %}
{{ name_not_nulls(t, t.new, t.old.name, t.names.old_not_nulls, not_null) }}
{%- endmacro %}

{% macro name_not_nulls(t, table, name, named, columns) -%}
{% for column, own, comment in named if column in columns %}
CALL trueup.name_not_null({{ table | n | lit }}, {{ column | lit }}, {{ own | lit }}, {{ comment | lit if comment is not none else "NULL" }});
{% endfor %}
{% if t.names.unnamed(columns, named) %}
CALL trueup.name_not_nulls(
    {{ table | n | lit }},
    {{ name | lit }},
    ARRAY[{{ t.names.unnamed(columns, named) | map("lit") | join(", ") }}]::name[]
);
{% endif %}
{%- endmacro %}

{% macro check_at_once(defers) -%}
{% if defers %}
-- No check may wait for the end of the transaction: the tables are altered before.
SET CONSTRAINTS ALL IMMEDIATE;

{% endif %}
{%- endmacro %}

{% macro rename_columns(t, table) -%}
{% for old, new in t.renamed.items() %}
ALTER TABLE {{ table | n }} RENAME COLUMN {{ old | q }} TO {{ new | q }};
{% endfor %}
{%- endmacro %}

{% macro rename_columns_back(t, table) -%}
{% for old, new in t.renamed.items() %}
ALTER TABLE {{ table | n }} RENAME COLUMN {{ new | q }} TO {{ old | q }};
{% endfor %}
{%- endmacro %}

{% macro old_look(tables) -%}
-- The definitions below were written when the tables had their old names: they have them again
-- until the end of this file.
LOCK TABLE {{ tables | map(attribute="new") | map("n") | join(", ") }} IN ACCESS EXCLUSIVE MODE;
{% for t in tables %}
{{ rename_columns_back(t, t.new) }}
{%- if t.old != t.new %}
ALTER TABLE {{ t.new | n }} RENAME TO {{ t.old.name | q }};
{% endif %}
{% endfor %}
{%- endmacro %}

{% macro end_old_look(tables) -%}
{% for t in tables %}
{% if t.old != t.new %}
ALTER TABLE {{ t.old | n }} RENAME TO {{ t.new.name | q }};
{% endif %}
{{ rename_columns(t, t.new) }}
{%- endfor %}
{%- endmacro %}

{% macro copy_columns(t, suffix) -%}
CALL trueup.copy_columns({{ t.new | n | lit }}, {{ suffix | lit }});
{% for source, target in t.cut_names(suffix) %}
CALL trueup.copy_column({{ t.new | n | lit }}, {{ source | lit }}, {{ t.new | n | lit }}, {{ target | lit }});
{% endfor %}
{%- endmacro %}

{% macro require_clean(table, rules) %}
CALL trueup.require_clean(
    {{ table | n | lit }},
{% for name, columns in (("uuids", rules.uuids), ("keys", rules.keys)) if columns %}
    {{ name }} => ARRAY[{{ columns | map("lit") | join(", ") }}],
{% endfor %}
{% for rule in rules.others %}
{% if loop.first %}
    rules => ARRAY[
{% endif %}
        [
            {{ rule.column | lit }},
            $${{ rule.condition }}$$,
            {{ rule.reason | lit }}
        ]{{ "," if not loop.last }}
{% if loop.last %}
    ]
{% endif %}
{% else %}
    rules => '{}'
{% endfor %}
);
{% endmacro %}
