DROP INDEX CONCURRENTLY IF EXISTS {{ table.schema | q }}.{{ name | q }};
