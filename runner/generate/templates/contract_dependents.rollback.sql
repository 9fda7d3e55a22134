{% import "macros.sql" as macros %}
SET LOCAL lock_timeout = '200ms';

{{ macros.old_look(u.beneath(u.dependents)) }}
{% for d in u.dependents | reverse %}
{% for statement in d.unsettle or [u.drop(d, old=true)] %}
{{ statement }}
{% endfor %}
{% endfor %}
{% for t in u.beneath(u.dependents) %}
{% for c in t.columns %}
ALTER TABLE {{ t.old | n }} RENAME COLUMN {{ c.name | q }} TO {{ c.aside | q }};
ALTER TABLE {{ t.old | n }} RENAME COLUMN {{ c.old_name | q }} TO {{ c.name | q }};
{% endfor %}
{% endfor %}
{% for d in u.dependents %}

{% for statement in d.old %}
{{ statement }}
{% endfor %}
{% endfor %}

{% for t in u.beneath(u.dependents) %}
{% for c in t.columns %}
ALTER TABLE {{ t.old | n }} RENAME COLUMN {{ c.name | q }} TO {{ c.old_name | q }};
ALTER TABLE {{ t.old | n }} RENAME COLUMN {{ c.aside | q }} TO {{ c.name | q }};
{% endfor %}
{% endfor %}
{{ macros.end_old_look(u.beneath(u.dependents)) }}
