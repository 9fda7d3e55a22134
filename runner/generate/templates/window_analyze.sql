{% for t in tables if t.columns %}
ANALYZE {{ t.new | n }};
{% endfor %}
