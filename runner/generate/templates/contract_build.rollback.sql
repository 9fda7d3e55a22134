DROP MATERIALIZED VIEW {{ d.build_name | n }};
