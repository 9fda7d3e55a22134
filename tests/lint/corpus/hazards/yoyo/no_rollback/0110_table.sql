-- expect: rollback-missing
-- depends: 0109_tables
CREATE TABLE visit (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY);
