REFRESH MATERIALIZED VIEW {{ d.build_name | n }};
