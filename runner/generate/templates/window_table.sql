{% import "window_macros.sql" as window %}
SET LOCAL lock_timeout = '200ms';
SET LOCAL maintenance_work_mem = '1GB';
SET LOCAL max_parallel_maintenance_workers = 4;

LOCK TABLE {{ t.old | n }} IN ACCESS EXCLUSIVE MODE;

{% if t.keeps_spellings %}
{{ window.refuse_unkept(t) }}
{% endif %}
{{ window.convert(t, keep=false) }}
