DROP INDEX CONCURRENTLY IF EXISTS {{ t.new.schema | q }}.{{ i.build_name | q }};
