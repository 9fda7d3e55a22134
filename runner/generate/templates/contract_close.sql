CALL trueup.require_unused({{ t.old | n | lit }});

SET LOCAL lock_timeout = '200ms';

DROP VIEW {{ t.old | n }};
DROP MATERIALIZED VIEW {{ t.marker | n }};
DELETE FROM trueup.odometer WHERE compat_view = {{ t.old | n | lit }};
