-- expect: column-type
CREATE TABLE visit (
    id serial PRIMARY KEY,
    country char(2) NOT NULL,
    at timestamp NOT NULL DEFAULT now()
);
