-- expect: rollback-incomplete
-- depends: 0110_tables
CREATE TABLE visit (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY);
CREATE TABLE visitor (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY);
