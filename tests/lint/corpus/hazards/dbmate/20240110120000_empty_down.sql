-- migrate:up
-- expect: rollback-missing
CREATE TABLE visit (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY);

-- migrate:down
