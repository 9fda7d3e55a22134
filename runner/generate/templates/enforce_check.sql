{% import "macros.sql" as macros %}
{{ macros.require_clean(t.new, rules) }}
{% if t.partitions.is_partitioned and t.columns %}

-- Autovacuum never looks at a partitioned table as a whole.
ANALYZE {{ t.new | n }} ({{ t.columns | map(attribute="name") | map("q") | join(", ") }});
{% endif %}
