-- expect: identifier
CREATE TABLE "order" (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, placed_at timestamptz);
