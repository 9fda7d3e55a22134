{% import "macros.sql" as macros %}
SET LOCAL lock_timeout = '200ms';

{{ macros.compat_view(t) }}
