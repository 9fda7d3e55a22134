-- expect: safe
-- depends:
CREATE TABLE orders (
    id integer NOT NULL PRIMARY KEY,
    note text
);
