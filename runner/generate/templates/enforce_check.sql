{% import "macros.sql" as macros %}
{{ macros.require_clean(t.new, rules) }}
