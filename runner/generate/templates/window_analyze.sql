{% for t in u.tables if t.columns %}
ANALYZE {{ t.new | n }};
{% endfor %}
