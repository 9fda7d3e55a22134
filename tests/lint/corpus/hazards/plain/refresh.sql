-- expect: refresh-materialized-view
SET lock_timeout = '200ms';
REFRESH MATERIALIZED VIEW daily_totals;
