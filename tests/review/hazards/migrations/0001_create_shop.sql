-- A small shop, as it has run for years.

CREATE TABLE customers (
    id serial PRIMARY KEY,
    email varchar(200) NOT NULL UNIQUE,
    state varchar(20) NOT NULL DEFAULT 'active' CHECK (state IN ('active', 'blocked'))
);

CREATE TABLE orders (
    id serial PRIMARY KEY,
    customer_id integer NOT NULL REFERENCES customers (id),
    total numeric(10, 2) NOT NULL,
    note varchar(200),
    created_at timestamptz NOT NULL DEFAULT now()
);
